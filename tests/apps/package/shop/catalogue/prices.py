from decimal import Decimal

GOODS = {"tea": Decimal("4.20"), "cup": Decimal("9")}


def price(name, currency):
    return f"{GOODS[name]:.2f} {currency}"
