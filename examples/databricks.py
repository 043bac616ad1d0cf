# Databricks notebook source
# MAGIC %md
# MAGIC # Oasthouse from Databricks
# MAGIC The cluster's instance profile is the role. The API key of the project is a SecureString in the Parameter Store,
# MAGIC named after both. On the gateway's machine, whoever runs it stores one:
# MAGIC ```
# MAGIC oast key publish football --member ada --role MyClusterRole --store parameterstore --region eu-west-1
# MAGIC ```

# COMMAND ----------

# MAGIC %pip install --no-deps /Volumes/main/football/libraries/oasthouse_cloud_sdk-0.1.0-py3-none-any.whl

# COMMAND ----------

# ruff: noqa: ERA001, F821 - Databricks keeps other cells in comments, and provides `spark` and `display`
import hops.featurestore as fs

fs.connect("gateway.example.com", "football", region_name="eu-west-1", secrets_store="parameterstore")

# COMMAND ----------

# MAGIC %md
# MAGIC Without an instance profile, put the key into a secret scope (`hopsworks`, key `football`), and connect with
# MAGIC `secrets_store="databricks"`.
# MAGIC
# MAGIC ## The next five calls

# COMMAND ----------

teams = spark.table("football.teams")
fs.create_featuregroup(teams, "teams_features", primary_key="team_id", description="One row per team")

# COMMAND ----------

print(fs.explain(["team_budget", "average_attendance"]))  # which groups, which join, and why

# COMMAND ----------

attendances = fs.get_features(["team_id", "team_budget", "average_attendance"])
display(attendances)  # Spark by default; as_="pandas" asks for another kind

# COMMAND ----------

fs.create_training_dataset("team_budgets", ["team_budget", "average_attendance"], data_format="csv")

# COMMAND ----------

fs.get_training_dataset_path("team_budgets")
