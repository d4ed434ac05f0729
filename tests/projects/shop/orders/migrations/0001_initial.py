from django.db import migrations, models


def add_first_order(apps, schema_editor):
    apps.get_model("orders", "Order").objects.create(product="Teapot", quantity=2)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product", models.CharField(max_length=100)),
                ("quantity", models.PositiveIntegerField(default=1)),
                ("task", models.CharField(blank=True, max_length=36)),
                ("created", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ["-created"]},
        ),
        migrations.CreateModel(
            name="Parcel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("packed", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="Count",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked", models.FloatField()),
                ("orders", models.PositiveIntegerField()),
            ],
        ),
        migrations.RunPython(add_first_order, migrations.RunPython.noop),
    ]
