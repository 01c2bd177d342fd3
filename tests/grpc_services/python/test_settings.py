import pytest

from grpc_services.python.settings import ServerSettings
from runtime.errors import SettingsError


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


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tls_key": None}, "tls_cert needs tls_key"),
        ({"tls_cert": None}, "tls_key needs tls_cert"),
        ({"tls_cert": None, "tls_key": None}, "jwks needs tls_cert and tls_key: a token never travels in plain"),
        ({"issuer": None}, "jwks needs issuer"),
        ({"audience": ""}, "jwks needs audience"),
        ({"jwks": None}, "issuer needs jwks"),
        ({"scope": "a b"}, "scope must be one name, not 'a b'"),
        ({"jwks": None, "issuer": None, "audience": None, "subjects": ("a",)}, "subjects needs jwks"),
        ({"subjects": ("a", "")}, "subject must be a name, or several with commas between"),
        ({"jwt_algorithms": ()}, "jwt_algorithms must name one at least"),
        ({"clock_skew_ms": 300_001}, "clock_skew_ms must be an integer from 0 to 300000, not 300001"),
    ],
)
def test_settings_that_would_leave_a_gap_are_refused(guarded, changes, line):
    with pytest.raises(SettingsError) as refused:
        guarded.settings(**changes)
    assert str(refused.value) == line


@pytest.mark.parametrize("algorithm", ["none", "HS256", "rs256", ""])
def test_an_algorithm_that_needs_no_private_key_is_never_allowed(guarded, algorithm):
    with pytest.raises(SettingsError, match=r"^jwt_algorithms must be of "):
        guarded.settings(jwt_algorithms=("RS256", algorithm))
    with pytest.raises(SettingsError, match=r"^jwt_algorithms must be of "):
        ServerSettings("features", jwt_algorithms=(algorithm,))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_host_that_others_can_reach_needs_tls_or_to_be_told_so(guarded, host):
    with pytest.raises(SettingsError, match=f"^host {host} can be reached from other machines: "):
        ServerSettings("features", host=host)
    assert ServerSettings("features", host=host, allow_plain=True).host == host
    assert guarded.settings(host=host).host == host
