from django import template

register = template.Library()


@register.filter
def word(number: int) -> str:
    return {0: "no notes", 1: "one note"}.get(number, f"{number} notes")
