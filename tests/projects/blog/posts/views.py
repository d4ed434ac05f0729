from django.forms import modelform_factory
from django.shortcuts import redirect, render

from .models import Post

PostForm = modelform_factory(Post, fields=["title", "attachment"])


def post_list(request):
    return render(request, "posts/list.html", {"posts": Post.objects.all()})


def new_post(request):
    form = PostForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        form.save()
        return redirect("posts")
    return render(request, "posts/new.html", {"form": form})
