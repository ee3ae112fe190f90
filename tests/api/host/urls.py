from django.urls import include, path

urlpatterns = [path("housekeeping/api/", include("housekeeping.api.urls"))]
