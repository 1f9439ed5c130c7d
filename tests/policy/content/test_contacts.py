"""Phone numbers and other contacts, and what only looks like them."""

# ruff: noqa: RUF001  signs of Chinese writing are meant

import pytest

from gateway.policy.content.contacts import contact, phone, phone_or_contact


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Call +44 7700 900123 now", "+44 7700 900123"),
        ("Ring (020) 8888 6666", "(020) 8888 6666"),
        ("门店021-88886666", "021-88886666"),
        ("咨询13812345678", "13812345678"),
        ("咨询１３８１２３４５６７８", "１３８１２３４５６７８"),
        ("咨询１３８－１２３４－５６７８", "１３８－１２３４－５６７８"),
        ("咨询138-1234-5678", "138-1234-5678"),
        ("热线400-820-8820", "400-820-8820"),
        ("客服热线：95533", "95533"),
        ("Text 212-555-0100", "212-555-0100"),
        ("Tel: 5550100", "5550100"),
    ],
)
def test_phone_numbers(text: str, written: str) -> None:
    found = phone(text)
    assert found is not None
    assert found.written == written
    assert text[found.place :].startswith(written)


@pytest.mark.parametrize(
    "text",
    [
        "Your code is 481516",
        "订单202611110012已发货",
        "11月11日10:00-12:00，满300减50",
        "Order 1234567890123 has shipped",
        "2026-11-11",
        "3.50 or 1,299.00",
        "快递SF1381234567890",
        "",
    ],
)
def test_what_is_no_phone_number(text: str) -> None:
    assert phone(text) is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Write to help@shop.example", "help@shop.example"),
        ("加微信领券", "加微信"),
        ("微信号：shop_888", "微信号：shop_888"),
        ("添加客服VX", "添加客服VX"),
        ("QQ群:12345678", "QQ群:12345678"),
        ("Follow @shop_uk", "@shop_uk"),
        ("WhatsApp +447700900123", "WhatsApp +447700900123"),
        ("t.me/shop", "t.me/shop"),
    ],
)
def test_contacts(text: str, written: str) -> None:
    found = contact(text)
    assert found is not None
    assert found.written == written


@pytest.mark.parametrize(
    "text", ["微信支付立减5元", "2 @ 3 pounds", "skype", "see you", "qq糖半价"]
)
def test_what_is_no_contact(text: str) -> None:
    assert contact(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Call 212-555-0100 or write to a@b.example",
        "write to a@b.example",
        "咨询13812345678，加微信 shop_one",
        "QQ: 12345678",
        "SKYPE: shop.one",
        "Kim 0，凭码00000享八折",
        "nothing of the kind",
    ],
)
def test_both_are_looked_for_at_once(text: str) -> None:
    number, other = phone_or_contact(text)
    assert number == phone(text)
    assert other == (contact(text) if number is None else None)
