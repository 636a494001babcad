"""What the settings of the mail server accept."""

import pytest
from pydantic import SecretStr, ValidationError

from libs.infra.smtp import Smtp, SmtpSettings


@pytest.mark.parametrize(
    "url", ["smtps://user:pass@mail.example.com", "smtp://mail.example.com:587", "smtp+plain://127.0.0.1:25"]
)
def test_a_url_of_a_mail_server(url: str) -> None:
    assert Smtp(SmtpSettings(url=SecretStr(url))).configured


@pytest.mark.parametrize(
    "url", ["mail.example.com", "https://mail.example.com", "smtp://", "smtp://host:port", "smtp://host:0"]
)
def test_what_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SmtpSettings(url=SecretStr(url))
    assert "it must look like smtps://" in str(refused.value)
    assert f"input_value={url}" not in str(refused.value)


@pytest.mark.parametrize("sender", ["nobody", "", "Us <us@example.com>\r\nBcc: x@example.com", "Us <us@>"])
def test_a_sender_is_an_address_on_one_line(sender: str) -> None:
    with pytest.raises(ValidationError):
        SmtpSettings(sender=sender)


def test_no_password_is_in_a_repr() -> None:
    settings = SmtpSettings(url=SecretStr("smtps://user:hunter2@mail.example.com"))
    assert "hunter2" not in repr(settings) + repr(vars(Smtp(settings)))
