# Databricks notebook source
# MAGIC %md
# MAGIC # Oasthouse from Databricks
# MAGIC The cluster's instance profile is the role. The API key of the project is a SecureString in the Parameter Store,
# MAGIC named after both. Store it once, from a file, so that it stays out of the shell's history:
# MAGIC ```
# MAGIC aws ssm put-parameter --type SecureString --value file://oasthouse.key \
# MAGIC   --name /hopsworks/project/football/role/MyClusterRole/type/api-key
# MAGIC ```

# COMMAND ----------

# MAGIC %pip install "oasthouse-cloud-sdk[aws]"

# COMMAND ----------

# ruff: noqa: ERA001, F821 - Databricks keeps other cells in comments, and provides `spark` and `display`
import hops.featurestore as fs

fs.connect("gateway.example.com", "football", region_name="eu-west-1", secrets_store="parameterstore")

# COMMAND ----------

# MAGIC %md
# MAGIC Without an instance profile, keep the key in a file that only you can read, and connect with
# MAGIC `secrets_store="local", api_key_file="/Volumes/main/football/keys/oasthouse.key"`.
# MAGIC
# MAGIC ## The next five calls

# COMMAND ----------

teams = spark.table("football.teams")
fs.create_featuregroup(teams, "teams_features", primary_key="team_id", description="One row per team")

# COMMAND ----------

print(fs.explain(["team_budget", "average_attendance"]))  # which groups, which join, and why

# COMMAND ----------

attendances = fs.get_features(["team_id", "team_budget", "average_attendance"])
display(spark.createDataFrame(attendances))

# COMMAND ----------

fs.create_training_dataset("team_budgets", ["team_budget", "average_attendance"], data_format="csv")

# COMMAND ----------

fs.get_training_dataset_path("team_budgets")
