import datetime

from django.db import migrations, models


def welcome(apps, schema_editor):
    Notice = apps.get_model("news", "Notice")
    Notice.objects.create(title="The intranet has moved", text="Please update your bookmarks.", date=datetime.date.today())


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("date", models.DateField()),
            ],
            options={"ordering": ("-date",)},
        ),
        migrations.RunPython(welcome, migrations.RunPython.noop),
    ]
