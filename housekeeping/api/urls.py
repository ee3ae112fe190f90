"""The JSON API: ``path("housekeeping/api/", include("housekeeping.api.urls"))``.

A trailing slash is accepted and not needed.
"""

from django.urls import re_path

from housekeeping.api.description.document import OWN
from housekeeping.api.description.views import HousekeepingSchema, docs
from housekeeping.api.views import (
    alerts,
    erasures,
    figures,
    holds,
    policies,
    run_acts,
    runs,
    schedules,
    settings,
    tables,
    tasks,
)

RUN = r"(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

app_name = "housekeeping_api"
urlpatterns = [
    re_path(r"^status/?$", figures.SchedulerStatus.as_view(), name="scheduler-status"),
    re_path(r"^trigger/?$", run_acts.Trigger.as_view(), name="trigger"),
    re_path(r"^statistics/?$", figures.Statistics.as_view(), name="statistics"),
    re_path(r"^overview/?$", figures.OverviewFigures.as_view(), name="overview"),
    re_path(r"^snapshots/?$", figures.SnapshotList.as_view(), name="snapshot-list"),
    re_path(r"^tallies/?$", figures.TallyList.as_view(), name="tally-list"),
    re_path(r"^acts/?$", figures.ActList.as_view(), name="act-list"),
    re_path(r"^consumers/?$", figures.ConsumerList.as_view(), name="consumer-list"),
    re_path(r"^schedules/?$", schedules.ScheduleList.as_view(), name="schedule-list"),
    re_path(r"^schedules/fire-times/?$", schedules.FireTimes.as_view(), name="fire-times"),
    re_path(r"^schedules/(?P<pk>[\w-]+)/?$", schedules.ScheduleDetail.as_view(), name="schedule"),
    re_path(r"^schedules/(?P<pk>[\w-]+)/run/?$", schedules.RunSchedule.as_view(), name="schedule-run"),
    re_path(r"^tasks/?$", tasks.TaskList.as_view(), name="task-list"),
    re_path(r"^tasks/(?P<name>[^/]+)/?$", tasks.TaskDetail.as_view(), name="task"),
    re_path(r"^tasks/(?P<name>[^/]+)/trends/?$", tasks.Trends.as_view(), name="task-trends"),
    re_path(
        r"^tasks/(?P<name>[^/]+)/acknowledgement/?$", tasks.Acknowledgement.as_view(), name="acknowledgement"
    ),
    re_path(r"^policies/?$", policies.PolicyList.as_view(), name="policy-list"),
    re_path(r"^policies/(?P<pk>[\w-]+)/?$", policies.PolicyDetail.as_view(), name="policy"),
    re_path(r"^policies/(?P<pk>[\w-]+)/preview/?$", policies.PolicyPreview.as_view(), name="policy-preview"),
    re_path(r"^tables/?$", tables.TableList.as_view(), name="table-list"),
    re_path(r"^tables/(?P<name>.+?)/?$", tables.TableDetail.as_view(), name="table"),
    re_path(r"^runs/?$", runs.RunList.as_view(), name="run-list"),
    re_path(r"^runs/cancel/?$", run_acts.CancelRuns.as_view(), name="runs-cancel"),
    re_path(r"^runs/retry/?$", run_acts.RetryRuns.as_view(), name="runs-retry"),
    re_path(rf"^results/{RUN}/?$", runs.RunResult.as_view(), name="run-result"),
    re_path(rf"^runs/{RUN}/?$", runs.RunDetail.as_view(), name="run"),
    re_path(rf"^runs/{RUN}/log/?$", runs.RunLog.as_view(), name="run-log"),
    re_path(rf"^runs/{RUN}/receipt/?$", runs.Receipt.as_view(), name="run-receipt"),
    re_path(rf"^runs/{RUN}/receipt\.csv/?$", runs.ReceiptCsv.as_view(), name="run-receipt-csv"),
    re_path(rf"^runs/{RUN}/cancel/?$", run_acts.CancelRun.as_view(), name="run-cancel"),
    re_path(rf"^runs/{RUN}/retry/?$", run_acts.RetryRun.as_view(), name="run-retry"),
    re_path(rf"^runs/{RUN}/approve/?$", run_acts.ApproveRun.as_view(), name="run-approve"),
    re_path(rf"^runs/{RUN}/undo/?$", run_acts.UndoRun.as_view(), name="run-undo"),
    re_path(rf"^runs/{RUN}/holds/?$", holds.UndoHolds.as_view(), name="run-holds"),
    re_path(r"^holds/?$", holds.HoldList.as_view(), name="hold-list"),
    re_path(r"^holds/(?P<pk>[0-9]{1,18})/?$", holds.HoldDetail.as_view(), name="hold"),
    re_path(r"^erasures/?$", erasures.ErasureList.as_view(), name="erasure-list"),
    re_path(rf"^erasures/{RUN}/?$", erasures.ErasureDetail.as_view(), name="erasure"),
    re_path(r"^settings/?$", settings.SettingList.as_view(), name="setting-list"),
    re_path(r"^incidents/?$", alerts.IncidentList.as_view(), name="incident-list"),
    re_path(r"^alerts/?$", alerts.AlertList.as_view(), name="alert-list"),
    re_path(r"^channels/?$", alerts.ChannelList.as_view(), name="channel-list"),
    re_path(r"^channels/(?P<name>[^/]+)/?$", alerts.ChannelDetail.as_view(), name="channel"),
    re_path(r"^channels/(?P<name>[^/]+)/test/?$", alerts.TestChannel.as_view(), name="channel-test"),
    re_path(r"^schema/?$", HousekeepingSchema.as_view(), name="schema"),
    re_path(r"^docs/?$", docs, {"described": OWN}, name="docs"),
]
