"""The JSON API: ``path("housekeeping/api/", include("housekeeping.api.urls"))``.

A trailing slash is accepted and not needed.
"""

from django.urls import re_path

from housekeeping.api import holds, views

RUN = r"(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

app_name = "housekeeping_api"
urlpatterns = [
    re_path(r"^status/?$", views.scheduler_status, name="scheduler-status"),
    re_path(r"^trigger/?$", views.trigger, name="trigger"),
    re_path(r"^statistics/?$", views.statistics, name="statistics"),
    re_path(r"^overview/?$", views.overview_figures, name="overview"),
    re_path(r"^snapshots/?$", views.snapshot_list, name="snapshot-list"),
    re_path(r"^tallies/?$", views.tally_list, name="tally-list"),
    re_path(r"^acts/?$", views.act_list, name="act-list"),
    re_path(r"^consumers/?$", views.consumer_list, name="consumer-list"),
    re_path(r"^schedules/?$", views.schedule_list, name="schedule-list"),
    re_path(r"^schedules/fire-times/?$", views.fire_times, name="fire-times"),
    re_path(r"^schedules/(?P<pk>[\w-]+)/?$", views.schedule_detail, name="schedule"),
    re_path(r"^schedules/(?P<pk>[\w-]+)/run/?$", views.run_schedule, name="schedule-run"),
    re_path(r"^policies/?$", views.policy_list, name="policy-list"),
    re_path(r"^policies/(?P<pk>[\w-]+)/?$", views.policy_detail, name="policy"),
    re_path(r"^policies/(?P<pk>[\w-]+)/preview/?$", views.policy_preview, name="policy-preview"),
    re_path(r"^runs/?$", views.run_list, name="run-list"),
    re_path(r"^runs/cancel/?$", views.cancel_runs, name="runs-cancel"),
    re_path(r"^runs/retry/?$", views.retry_runs, name="runs-retry"),
    re_path(rf"^results/{RUN}/?$", views.run_result, name="run-result"),
    re_path(rf"^runs/{RUN}/?$", views.run_detail, name="run"),
    re_path(rf"^runs/{RUN}/log/?$", views.run_log, name="run-log"),
    re_path(rf"^runs/{RUN}/receipt/?$", views.receipt, name="run-receipt"),
    re_path(rf"^runs/{RUN}/receipt\.csv/?$", views.receipt_csv, name="run-receipt-csv"),
    re_path(rf"^runs/{RUN}/cancel/?$", views.cancel_run, name="run-cancel"),
    re_path(rf"^runs/{RUN}/retry/?$", views.retry_run, name="run-retry"),
    re_path(rf"^runs/{RUN}/approve/?$", views.approve_run, name="run-approve"),
    re_path(rf"^runs/{RUN}/undo/?$", views.undo_run, name="run-undo"),
    re_path(rf"^runs/{RUN}/holds/?$", holds.undo_holds, name="run-holds"),
    re_path(r"^holds/?$", holds.hold_list, name="hold-list"),
    re_path(r"^holds/(?P<pk>[0-9]{1,18})/?$", holds.hold_detail, name="hold"),
]
