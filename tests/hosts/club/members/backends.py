from django.contrib.auth.backends import BaseBackend

from members.models import Member


class Doorman(BaseBackend):
    """Knows members by their address, however it is written, and their own permissions."""

    def authenticate(self, request, username=None, password=None):
        member = Member.objects.filter(email__iexact=username or "", has_left=False).first()
        return member if member and member.check_password(password) else None

    def get_user(self, user_id):
        return Member.objects.filter(pk=user_id, has_left=False).first()

    def get_user_permissions(self, user, obj=None):
        return {
            f"{app}.{name}"
            for app, name in user.user_permissions.values_list("content_type__app_label", "codename")
        }
