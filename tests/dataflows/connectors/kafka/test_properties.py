"""One properties file is for both clients, librdkafka and Java's, and its secrets stay in it."""

from pathlib import Path

import pytest

from dataflows.connectors.kafka.client import java_properties, kafka_location, read_properties
from dataflows.connectors.kafka.topic import TopicReader
from runtime.errors import SettingsError


def test_names_and_values_are_read(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# comment\n\n sasl.password = a=b \nsecurity.protocol=SASL_SSL\n")
    assert read_properties(str(file)) == {"sasl.password": "a=b", "security.protocol": "SASL_SSL"}
    assert read_properties(None) == {}


@pytest.mark.parametrize("line", ["sasl.password hunter2", "group.id=hunter2", "enable.idempotence=hunter2"])
def test_a_wrong_line_is_named_by_its_number_only(line: str, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text(f"security.protocol=SSL\n{line}\n")
    with pytest.raises(SettingsError, match="line 2: ") as error:
        read_properties(str(file))
    assert "hunter2" not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--kafka-properties .*: No such file"):
        read_properties(str(tmp_path / "missing"))
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"--kafka-properties .*: it is not a text file"):
        read_properties(str(tmp_path / "bytes"))


def test_java_logs_in_by_a_module() -> None:
    found = java_properties({"sasl.mechanisms": "PLAIN", "sasl.username": "u", "sasl.password": 'a"b\\'}, "moved.")
    module = "moved.org.apache.kafka.common.security.plain.PlainLoginModule"
    assert found == {
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": f'{module} required username="u" password="a\\"b\\\\";',
    }
    scram = java_properties({"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "u", "sasl.password": "p"})
    assert scram["sasl.jaas.config"].startswith("org.apache.kafka.common.security.scram.ScramLoginModule required ")


def test_java_takes_certificates_as_pem() -> None:
    files = {"cert.pem": "CERTIFICATE", "key.pem": "KEY"}
    assert java_properties(
        {
            "security.protocol": "SSL",
            "ssl.ca.location": "ca.pem",
            "ssl.certificate.location": "cert.pem",
            "ssl.key.location": "key.pem",
            "ssl.key.password": "p",
            "ssl.endpoint.identification.algorithm": "none",
        },
        read=files.__getitem__,
    ) == {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(Path("ca.pem").absolute()),  # Java has another current folder
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": "CERTIFICATE",
        "ssl.keystore.key": "KEY",
        "ssl.key.password": "p",
        "ssl.endpoint.identification.algorithm": "",
    }


def test_what_java_cannot_do_is_said() -> None:
    with pytest.raises(SettingsError, match=r"enable.ssl.certificate.verification has no counterpart"):
        java_properties({"enable.ssl.certificate.verification": "false"})


@pytest.mark.parametrize("name", ["security.protocol", "sasl.mechanisms", "client.dns.lookup", "ssl.providers"])
def test_what_the_library_says_of_a_value_leaves_the_value_out(name: str) -> None:
    location = kafka_location("TOPIC", "kafka://127.0.0.1:1/t")
    wrong = {"security.protocol": "sasl_ssl", "sasl.username": "u", "sasl.password": "p", name: "hunter2"}
    with pytest.raises(SettingsError, match=r"^--kafka-properties: ") as error:
        TopicReader("TOPIC", location, wrong, 0, lambda line: None)
    assert "hunter2" not in str(error.value)


def test_a_line_that_may_be_half_a_secret_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("sasl.password=first half\nhunter2=second half\n")
    with pytest.raises(SettingsError, match="line 2: ") as error:
        read_properties(str(file))
    assert "hunter2" not in str(error.value)
