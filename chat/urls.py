"""The addresses of the chat's JSON API, below /api/. A trailing slash is optional."""

from django.urls import re_path

from chat import views

urlpatterns = [
    re_path(r"^register/?$", views.register, name="register"),
    re_path(r"^verify/?$", views.verify, name="api-verify"),
    re_path(r"^chat/?$", views.chat, name="chat"),
    re_path(r"^chat/conversations/?$", views.conversation_list, name="conversation-list"),
    re_path(r"^chat/conversations/(?P<pk>[0-9]{1,18})/?$", views.conversation_detail, name="conversation"),
    re_path(r"^chat/conversations/(?P<pk>[0-9]{1,18})/messages/?$", views.message_list, name="message-list"),
]
