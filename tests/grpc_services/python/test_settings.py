import pytest

from grpc_services.python.settings import ServerSettings, SettingsError


def test_the_default_ports_are_those_of_the_original_demo():
    assert ServerSettings("features").address == "127.0.0.1:10001"
    assert ServerSettings("inference").address == "127.0.0.1:10011"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("service", "feature"),
        ("host", ""),
        ("host", "a b"),
        ("host", "unix:/socket"),
        ("port", -1),
        ("port", 65_536),
        ("port", "10001"),
        ("port", True),
        ("model", "model.json"),
        ("max_message_bytes", 0),
        ("max_message_bytes", 2**31),
        ("max_concurrent_calls", 0),
        ("drain_delay_ms", -1),
        ("drain_delay_ms", 1.5),
        ("grace_ms", -1),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name_in_one_line(setting, value):
    with pytest.raises(SettingsError, match=f"^{setting} [^\n]*$"):
        ServerSettings(**{"service": "features", setting: value})


def test_features_are_no_setting_of_the_inference_service():
    with pytest.raises(SettingsError, match=r"^features_from "):
        ServerSettings("inference", features_from="module:name")
