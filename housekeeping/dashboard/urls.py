"""The dashboard's pages, below /scheduler-admin/."""

from django.urls import path

from housekeeping.dashboard import acts, holds, runs, views

urlpatterns = [
    path("trends", views.trends, name="dashboard-trends"),
    path("tasks/<str:name>/trigger", views.trigger, name="dashboard-trigger"),
    path("schedules/pause", views.pause_all, name="dashboard-pause-all"),
    path("schedules/resume", views.resume_all, name="dashboard-resume-all"),
    path("schedules/<str:pk>", views.schedule_detail, name="dashboard-schedule"),
    path("schedules/<str:pk>/pause", views.pause_schedule, name="dashboard-schedule-pause"),
    path("schedules/<str:pk>/resume", views.resume_schedule, name="dashboard-schedule-resume"),
    path("schedules/<str:pk>/run", views.run_schedule, name="dashboard-schedule-run"),
    path("schedules/<str:pk>/change", views.change_schedule, name="dashboard-schedule-change"),
    path("schedules/<str:pk>/reset", views.reset_schedule, name="dashboard-schedule-reset"),
    path("policies/<str:pk>", views.policy_detail, name="dashboard-policy"),
    path("policies/<str:pk>/preview", views.policy_preview, name="dashboard-policy-preview"),
    path("policies/<str:pk>/retention", views.change_retention, name="dashboard-policy-change"),
    path("policies/<str:pk>/reset", views.reset_retention, name="dashboard-policy-reset"),
    path("runs", runs.run_list, name="dashboard-runs"),
    path("runs/act", runs.act_on_runs, name="dashboard-runs-act"),
    path("runs/<uuid:pk>", runs.run_detail, name="dashboard-run"),
    path("runs/<uuid:pk>/log", runs.run_log, name="dashboard-run-log"),
    path("runs/<uuid:pk>/receipt.json", views.receipt_json, name="dashboard-run-receipt-json"),
    path("runs/<uuid:pk>/receipt.csv", views.receipt_csv, name="dashboard-run-receipt-csv"),
    path("runs/<uuid:pk>/carry-out", views.carry_out, name="dashboard-run-carry-out"),
    path("runs/<uuid:pk>/cancel", views.cancel_run, name="dashboard-run-cancel"),
    path("runs/<uuid:pk>/retry", views.retry_run, name="dashboard-run-retry"),
    path("runs/<uuid:pk>/approve", views.approve_run, name="dashboard-run-approve"),
    path("runs/<uuid:pk>/undo", views.undo_run, name="dashboard-run-undo"),
    path("runs/<uuid:pk>/holds/change", holds.change_undo_holds, name="dashboard-undo-holds-change"),
    path("runs/<uuid:pk>/holds/end", holds.end_undo_holds, name="dashboard-undo-holds-end"),
    path("holds", holds.hold_list, name="dashboard-holds"),
    path("holds/add", holds.add_hold, name="dashboard-hold-add"),
    path("holds/<int:pk>/change", holds.change_hold, name="dashboard-hold-change"),
    path("holds/<int:pk>/end", holds.end_hold, name="dashboard-hold-end"),
    path("history", acts.act_list, name="dashboard-acts"),
]
