import pytest

from grpc_services.python.settings import ServerSettings
from runtime.errors import SettingsError
from runtime.settings import flag_of


def test_the_default_ports_are_those_of_the_original_demo():
    assert ServerSettings.of("features").address == "127.0.0.1:10001"
    assert ServerSettings.of("inference").address == "127.0.0.1:10011"


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
    flag = "SERVICE" if setting == "service" else flag_of(ServerSettings, setting)
    with pytest.raises(SettingsError, match=f"^{flag} [^\n]*$"):
        ServerSettings.of(**{"service": "features", setting: value})


def test_features_are_no_setting_of_the_inference_service():
    with pytest.raises(SettingsError, match=r"^--features-from "):
        ServerSettings.of("inference", features_from="module:name")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tls_key": None}, "--tls-cert needs --tls-key"),
        ({"tls_cert": None}, "--tls-key needs --tls-cert"),
        ({"tls_cert": None, "tls_key": None}, "--jwks needs --tls-cert and --tls-key: a token must not travel plain"),
        ({"issuer": None}, "--jwks needs --issuer"),
        ({"audience": ""}, "--jwks needs --audience"),
        ({"jwks": None}, "--issuer needs --jwks"),
        ({"scope": "a b"}, "--scope must be one name, not 'a b'"),
        ({"jwks": None, "issuer": None, "audience": None, "subjects": ("a",)}, "--subject needs --jwks"),
        ({"subjects": ("a", "")}, "--subject must be a name, or several with commas between"),
        ({"jwt_algorithms": ()}, "--jwt-algorithms must name one at least"),
        ({"clock_skew_ms": 300_001}, "--clock-skew must be from 0 to 5m, not 300001ms"),
    ],
)
def test_settings_that_would_leave_a_gap_are_refused(guarded, changes, line):
    with pytest.raises(SettingsError) as refused:
        guarded.settings(**changes)
    assert str(refused.value) == line


@pytest.mark.parametrize("algorithm", ["none", "HS256", "rs256", ""])
def test_an_algorithm_that_needs_no_private_key_is_never_allowed(guarded, algorithm):
    with pytest.raises(SettingsError, match=r"^--jwt-algorithms must be of "):
        guarded.settings(jwt_algorithms=("RS256", algorithm))
    with pytest.raises(SettingsError, match=r"^--jwt-algorithms must be of "):
        ServerSettings.of("features", jwt_algorithms=(algorithm,))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_host_that_others_can_reach_needs_tls_or_to_be_told_so(guarded, host):
    with pytest.raises(SettingsError, match=f"^--host {host} needs --tls-cert and --tls-key, or --allow-plain: "):
        ServerSettings.of("features", host=host)
    assert ServerSettings.of("features", host=host, allow_plain=True).listen.host == host
    assert guarded.settings(host=host).listen.host == host


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"sensors": ()}, "--sensors: there is no sensor"),
        ({"sensors": ("a", "a?")}, "--sensors: sensor a is named twice"),
        ({"stream_column_bytes": -1}, f"--stream-column-bytes must be an integer from 0 to {2**40}, not -1"),
        ({"column_bytes": 2**40 + 1}, f"--column-bytes must be an integer from 0 to {2**40}, not {2**40 + 1}"),
        ({"column_bytes": 1_000}, "--stream-column-bytes must not be above --column-bytes"),
        ({"service": "inference", "sensors": ("a",)}, "--sensors is a setting of the feature service only"),
        (
            {"service": "inference", "stream_column_bytes": 1},
            "--stream-column-bytes is a setting of the feature service only",
        ),
    ],
)
def test_sensors_and_the_memory_for_columns_are_checked(changes, line):
    with pytest.raises(SettingsError) as refused:
        ServerSettings.of(**({"service": "features"} | changes))
    assert str(refused.value) == line
