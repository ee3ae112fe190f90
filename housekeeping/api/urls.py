"""The JSON API: ``path("housekeeping/api/", include("housekeeping.api.urls"))``.

A trailing slash is accepted and not needed.
"""

from django.urls import re_path

from housekeeping.api.views import figures, holds, policies, run_acts, runs, schedules

RUN = r"(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

app_name = "housekeeping_api"
urlpatterns = [
    re_path(r"^status/?$", figures.scheduler_status, name="scheduler-status"),
    re_path(r"^trigger/?$", run_acts.trigger, name="trigger"),
    re_path(r"^statistics/?$", figures.statistics, name="statistics"),
    re_path(r"^overview/?$", figures.overview_figures, name="overview"),
    re_path(r"^snapshots/?$", figures.snapshot_list, name="snapshot-list"),
    re_path(r"^tallies/?$", figures.tally_list, name="tally-list"),
    re_path(r"^acts/?$", figures.act_list, name="act-list"),
    re_path(r"^consumers/?$", figures.consumer_list, name="consumer-list"),
    re_path(r"^schedules/?$", schedules.schedule_list, name="schedule-list"),
    re_path(r"^schedules/fire-times/?$", schedules.fire_times, name="fire-times"),
    re_path(r"^schedules/(?P<pk>[\w-]+)/?$", schedules.schedule_detail, name="schedule"),
    re_path(r"^schedules/(?P<pk>[\w-]+)/run/?$", schedules.run_schedule, name="schedule-run"),
    re_path(r"^policies/?$", policies.policy_list, name="policy-list"),
    re_path(r"^policies/(?P<pk>[\w-]+)/?$", policies.policy_detail, name="policy"),
    re_path(r"^policies/(?P<pk>[\w-]+)/preview/?$", policies.policy_preview, name="policy-preview"),
    re_path(r"^runs/?$", runs.run_list, name="run-list"),
    re_path(r"^runs/cancel/?$", run_acts.cancel_runs, name="runs-cancel"),
    re_path(r"^runs/retry/?$", run_acts.retry_runs, name="runs-retry"),
    re_path(rf"^results/{RUN}/?$", runs.run_result, name="run-result"),
    re_path(rf"^runs/{RUN}/?$", runs.run_detail, name="run"),
    re_path(rf"^runs/{RUN}/log/?$", runs.run_log, name="run-log"),
    re_path(rf"^runs/{RUN}/receipt/?$", runs.receipt, name="run-receipt"),
    re_path(rf"^runs/{RUN}/receipt\.csv/?$", runs.receipt_csv, name="run-receipt-csv"),
    re_path(rf"^runs/{RUN}/cancel/?$", run_acts.cancel_run, name="run-cancel"),
    re_path(rf"^runs/{RUN}/retry/?$", run_acts.retry_run, name="run-retry"),
    re_path(rf"^runs/{RUN}/approve/?$", run_acts.approve_run, name="run-approve"),
    re_path(rf"^runs/{RUN}/undo/?$", run_acts.undo_run, name="run-undo"),
    re_path(rf"^runs/{RUN}/holds/?$", holds.undo_holds, name="run-holds"),
    re_path(r"^holds/?$", holds.hold_list, name="hold-list"),
    re_path(r"^holds/(?P<pk>[0-9]{1,18})/?$", holds.hold_detail, name="hold"),
]
