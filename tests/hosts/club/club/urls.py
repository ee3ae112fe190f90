from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path
from django.views.static import serve
from notes import views

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard", views.dashboard, name="dashboard"),
    path("enter", LoginView.as_view(template_name="club/enter.html"), name="enter"),
    path("api/", views.count),
    path("api/secret", views.secret),
    path("whisper", views.whisper_page),
    path("bells", views.bells),
    path("admin/", admin.site.urls),
    path("assets/<path:path>", serve, {"document_root": settings.STATIC_ROOT}),
]

# --- As the contract shows it -----------------------------------------------------------------

urlpatterns += [
    path("housekeeping/", include("housekeeping.urls")),
    path("housekeeping/api/", include("housekeeping.api.urls")),
    path("", include("housekeeping.monitoring.urls")),
]
