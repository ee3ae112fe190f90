"""The dashboard's pages, below /scheduler-admin/."""

from django.urls import path

from housekeeping.dashboard import views

urlpatterns = [
    path("tasks/<str:name>/trigger", views.trigger, name="dashboard-trigger"),
    path("runs", views.run_list, name="dashboard-runs"),
    path("runs/<uuid:pk>", views.run_detail, name="dashboard-run"),
    path("runs/<uuid:pk>/cancel", views.cancel_run, name="dashboard-run-cancel"),
    path("runs/<uuid:pk>/retry", views.retry_run, name="dashboard-run-retry"),
]
