"""Every column of the app with a text: what an erasure does to it is declared."""

from django.apps import apps
from django.db import models

from housekeeping.erasure.tables import columns

TEXTS = (models.CharField, models.TextField, models.JSONField, models.BinaryField)
REPLACED = (columns.NAMES, columns.TEXTS, columns.JSON, columns.OUR_JSON)


def own():
    return apps.get_app_config("housekeeping").get_models()


def declared(model):
    others = [column for one in columns.OTHERS.get(model, ()) for column in one.columns]
    return [*(column for kind in REPLACED for column in kind.get(model, ())), *others]


def test_each_text_is_declared_once():
    for model in own():
        texts = {field.name for field in model._meta.concrete_fields if isinstance(field, TEXTS)}
        assert sorted(declared(model)) == sorted(texts), model


def test_json_is_declared_as_json():
    for model in own():
        kinds = {field.name: isinstance(field, models.JSONField) for field in model._meta.concrete_fields}
        for name in (*columns.TEXTS.get(model, ()), *columns.NAMES.get(model, ())):
            assert not kinds[name], (model, name)
        for name in (*columns.JSON.get(model, ()), *columns.OUR_JSON.get(model, ())):
            assert kinds[name], (model, name)
