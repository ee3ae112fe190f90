"""Which columns of an export have numbers of content types."""

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test.utils import isolate_apps

from housekeeping.engine.exports.kinds import names


@isolate_apps("tests.zoo")
def test_a_column_may_refer_to_content_types_in_several_ways(db):
    class Kind(ContentType):
        class Meta:
            app_label, proxy = "zoo", True

    class ByProxy(models.Model):
        kind = models.ForeignKey(Kind, models.CASCADE)

        class Meta:
            app_label = "zoo"

    class Setting(models.Model):
        kind = models.OneToOneField(ContentType, models.CASCADE, primary_key=True)

        class Meta:
            app_label = "zoo"

    class OfSetting(models.Model):
        setting = models.ForeignKey(Setting, models.CASCADE)

        class Meta:
            app_label = "zoo"

    class Other(models.Model):
        other = models.ForeignKey("self", models.CASCADE)

        class Meta:
            app_label = "zoo"

    named = {model for model in (ByProxy, Setting, OfSetting, Other) if names([model._meta.concrete_fields])}

    assert named == {ByProxy, Setting, OfSetting}
