from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from notes.models import Bell, Note
from notes.tasks import whisper


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "club/home.html")


def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "club/dashboard.html", {"notes": Note.objects.count()})


def whisper_page(request: HttpRequest) -> HttpResponse:
    whisper(request.GET["text"])
    return HttpResponse("Whispered.")


def bells(request: HttpRequest) -> HttpResponse:
    return HttpResponse("; ".join(Bell.objects.values_list("text", flat=True)))


@api_view(["GET"])
@permission_classes([AllowAny])
def count(request: Request) -> Response:
    return Response(f"{Note.objects.count()} notes")


@api_view(["GET"])
def secret(request: Request) -> Response:
    return Response("the biscuits are in the blue tin")
