from django.http import HttpResponse
from django.urls import path
from posts import views

urlpatterns = [
    path("", views.post_list, name="posts"),
    path("new/", views.new_post, name="new"),
    path("ping", lambda request: HttpResponse("pong")),
]
