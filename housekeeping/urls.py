"""The dashboard's pages: ``path("housekeeping/", include("housekeeping.urls"))``."""

from django.urls import path

from housekeeping.dashboard import acts, holds, runs, views

app_name = "housekeeping"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("trends", views.trends, name="trends"),
    path("tasks/<str:name>/trigger", views.trigger, name="trigger"),
    path("schedules/pause", views.pause_all, name="pause-all"),
    path("schedules/resume", views.resume_all, name="resume-all"),
    path("schedules/<str:pk>", views.schedule_detail, name="schedule"),
    path("schedules/<str:pk>/pause", views.pause_schedule, name="schedule-pause"),
    path("schedules/<str:pk>/resume", views.resume_schedule, name="schedule-resume"),
    path("schedules/<str:pk>/run", views.run_schedule, name="schedule-run"),
    path("schedules/<str:pk>/change", views.change_schedule, name="schedule-change"),
    path("schedules/<str:pk>/reset", views.reset_schedule, name="schedule-reset"),
    path("policies/<str:pk>", views.policy_detail, name="policy"),
    path("policies/<str:pk>/preview", views.policy_preview, name="policy-preview"),
    path("policies/<str:pk>/retention", views.change_retention, name="policy-change"),
    path("policies/<str:pk>/reset", views.reset_retention, name="policy-reset"),
    path("runs", runs.run_list, name="runs"),
    path("runs/act", runs.act_on_runs, name="runs-act"),
    path("runs/<uuid:pk>", runs.run_detail, name="run"),
    path("runs/<uuid:pk>/log", runs.run_log, name="run-log"),
    path("runs/<uuid:pk>/receipt.json", views.receipt_json, name="run-receipt-json"),
    path("runs/<uuid:pk>/receipt.csv", views.receipt_csv, name="run-receipt-csv"),
    path("runs/<uuid:pk>/carry-out", views.carry_out, name="run-carry-out"),
    path("runs/<uuid:pk>/cancel", views.cancel_run, name="run-cancel"),
    path("runs/<uuid:pk>/retry", views.retry_run, name="run-retry"),
    path("runs/<uuid:pk>/approve", views.approve_run, name="run-approve"),
    path("runs/<uuid:pk>/undo", views.undo_run, name="run-undo"),
    path("runs/<uuid:pk>/holds/change", holds.change_undo_holds, name="undo-holds-change"),
    path("runs/<uuid:pk>/holds/end", holds.end_undo_holds, name="undo-holds-end"),
    path("holds", holds.hold_list, name="holds"),
    path("holds/add", holds.add_hold, name="hold-add"),
    path("holds/<int:pk>/change", holds.change_hold, name="hold-change"),
    path("holds/<int:pk>/end", holds.end_hold, name="hold-end"),
    path("history", acts.act_list, name="acts"),
]
