from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Members(BaseUserManager):
    def create_user(self, email: str, password: str, **fields: object) -> "Member":
        member = self.model(email=email, **fields)
        member.set_password(password)
        member.save()
        return member


class Member(AbstractBaseUser, PermissionsMixin):
    """Who belongs to the club: by an e-mail address, and with no other name."""

    email = models.EmailField(max_length=254, unique=True)
    has_left = models.BooleanField(default=False)
    is_staff = models.BooleanField(default=False)

    objects = Members()
    USERNAME_FIELD = "email"

    @property
    def is_active(self) -> bool:
        return not self.has_left
