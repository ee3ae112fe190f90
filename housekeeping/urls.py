"""The dashboard's pages: ``path("housekeeping/", include("housekeeping.urls"))``."""

from django.db import transaction
from django.urls import path

from housekeeping.dashboard.views import (
    alerts,
    consumers,
    erasures,
    history,
    holds,
    overview,
    policies,
    run,
    runs,
    schedules,
    settings,
    tables,
    tasks,
)

app_name = "housekeeping"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("trends", overview.trends, name="trends"),
    path("tables", tables.table_list, name="tables"),
    path("tables/<path:name>", tables.table_detail, name="table"),
    path("tasks/<str:name>", tasks.task_detail, name="task"),
    path("tasks/<str:name>/trigger", tasks.trigger, name="trigger"),
    path("tasks/<str:name>/pause", tasks.pause_task, name="task-pause"),
    path("tasks/<str:name>/resume", tasks.resume_task, name="task-resume"),
    path("tasks/<str:name>/acknowledge", tasks.acknowledge, name="task-acknowledge"),
    path("tasks/<str:name>/unacknowledge", tasks.end_acknowledgement, name="task-unacknowledge"),
    path("schedules/pause", overview.pause_all, name="pause-all"),
    path("schedules/resume", overview.resume_all, name="resume-all"),
    path("schedules/<str:pk>", schedules.schedule_detail, name="schedule"),
    path("schedules/<str:pk>/pause", schedules.pause_schedule, name="schedule-pause"),
    path("schedules/<str:pk>/resume", schedules.resume_schedule, name="schedule-resume"),
    path("schedules/<str:pk>/run", schedules.run_schedule, name="schedule-run"),
    path("schedules/<str:pk>/change", schedules.change_schedule, name="schedule-change"),
    path("schedules/<str:pk>/reset", schedules.reset_schedule, name="schedule-reset"),
    path("policies/<str:pk>", policies.policy_detail, name="policy"),
    path("policies/<str:pk>/preview", policies.policy_preview, name="policy-preview"),
    path("policies/<str:pk>/retention", policies.change_retention, name="policy-change"),
    path("policies/<str:pk>/reset", policies.reset_retention, name="policy-reset"),
    path("runs", runs.run_list, name="runs"),
    path("runs/act", runs.act_on_runs, name="runs-act"),
    path("runs.csv", runs.runs_csv, name="runs-csv"),
    path("runs/<uuid:pk>", run.run_detail, name="run"),
    path("runs/<uuid:pk>/log", run.run_log, name="run-log"),
    path("runs/<uuid:pk>/receipt.json", run.receipt_json, name="run-receipt-json"),
    path("runs/<uuid:pk>/receipt.csv", run.receipt_csv, name="run-receipt-csv"),
    path("runs/<uuid:pk>/carry-out", run.carry_out, name="run-carry-out"),
    path("runs/<uuid:pk>/cancel", run.cancel_run, name="run-cancel"),
    path("runs/<uuid:pk>/retry", run.retry_run, name="run-retry"),
    path("runs/<uuid:pk>/approve", run.approve_run, name="run-approve"),
    path("runs/<uuid:pk>/undo", run.undo_run, name="run-undo"),
    path("runs/<uuid:pk>/holds/change", holds.change_undo_holds, name="undo-holds-change"),
    path("runs/<uuid:pk>/holds/end", holds.end_undo_holds, name="undo-holds-end"),
    path("holds", holds.hold_list, name="holds"),
    path("holds/add", holds.add_hold, name="hold-add"),
    path("holds/<int:pk>/change", holds.change_hold, name="hold-change"),
    path("holds/<int:pk>/end", holds.end_hold, name="hold-end"),
    path("erasures", erasures.erasure_list, name="erasures"),
    path("erasures/begin", erasures.begin, name="erasure-begin"),
    path("erasures/<uuid:pk>", erasures.erasure_detail, name="erasure"),
    path("erasures/<uuid:pk>/certificate.json", erasures.certificate_json, name="erasure-certificate"),
    path("alerts", alerts.alert_list, name="alerts"),
    path("alerts/add", alerts.add_channel, name="channel-add"),
    path("channels/<str:name>", alerts.channel_detail, name="channel"),
    path("channels/<str:name>/change", alerts.change_channel, name="channel-change"),
    path("channels/<str:name>/test", alerts.test_channel, name="channel-test"),
    path("channels/<str:name>/secret", alerts.make_secret, name="channel-secret"),
    path("channels/<str:name>/remove", alerts.remove_channel, name="channel-remove"),
    path("history", history.act_list, name="acts"),
    path("consumers", consumers.consumer_list, name="consumers"),
    path("settings", settings.setting_list, name="settings"),
]

# Outside of ATOMIC_REQUESTS: a run has to be committed while a request waits for it. What belongs together
# has a transaction of its own.
for pattern in urlpatterns:
    transaction.non_atomic_requests(pattern.callback)
