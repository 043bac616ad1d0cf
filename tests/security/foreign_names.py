"""Ways to write the name of what is another project's."""

NEIGHBOURS = ("rivals", "football2", "foot", "footballers", "football_old", "venues")
NOBODYS = ("oasthouse/football", "oasthouse/db", "ops/database", "football/db", "Oasthouse/football/db")
ACCOUNT = "123456789012"


def _arn(name: str, *, partition: str = "aws", region: str = "us-east-1", account: str = ACCOUNT) -> str:
    return f"arn:{partition}:secretsmanager:{region}:{account}:secret:{name}"


def _spellings(project: str) -> list[str]:
    """Of one secret of another's, what a text may be made to look like."""
    name, through = f"oasthouse/{project}/db", "oasthouse/football"
    return [*_texts(project, name, through), *_arns(project, name, through), *_parameters(project, name, through)]


def _texts(project: str, name: str, through: str) -> list[str]:
    return [
        f"aws-sm:{name}",
        f"aws-sm:{name}#password",
        f"aws-sm:/{name}",
        f"aws-sm:{name}/",
        f"aws-sm:{name.upper()}",
        f"aws-sm:oasthouse/{project.capitalize()}/db",
        f"aws-sm:{through}/../{project}/db",
        f"aws-sm:{through}/./../{project}/db",
        f"aws-sm:{through}//../{project}/db",
        f"aws-sm:{through}/..%2f{project}%2fdb",
        f"aws-sm:{through}/%2e%2e/{project}/db",
        f"aws-sm:{through}%2f..%2f{project}%2fdb",
        f"aws-sm:{through}/..\\{project}\\db",
        f"aws-sm:{through}/..;/{project}/db",
        f"aws-sm:{through}/\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/{project}/db",
        f"aws-sm:{through}\N{DIVISION SLASH}..\N{DIVISION SLASH}{project}/db",
        f"aws-sm:{through}\N{FULLWIDTH SOLIDUS}..\N{FULLWIDTH SOLIDUS}{project}/db",
        f"aws-sm:{name.replace('o', chr(0x43E))}",
        f"aws-sm:{name} ",
        f" aws-sm:{name}",
        f"aws-sm:{name}\t",
        f"aws-sm:{name}\u200b",
        f"aws-sm:{name}\r\nX: y",
        f"aws-sm:{name}+",
        f"aws-sm:oasthouse+{project}+db",
        f"aws-sm:{through}/db,{name}",
        f"aws-sm:{through}/db#../../{project}/db#password",
        f"aws-sm:{name}:AWSPREVIOUS",
        f"aws-sm:{name}:password:AWSPREVIOUS:",
        f"aws-sm:{name}#password:AWSPREVIOUS",
        f"aws-sm:{name}@AWSCURRENT",
    ]


def _arns(project: str, name: str, through: str) -> list[str]:
    return [
        f"aws-sm:{_arn(name)}",
        f"aws-sm:{_arn(name + '-AbCdEf')}#password",
        f"aws-sm:{_arn(name, region='eu-west-1')}",
        f"aws-sm:{_arn(name, account='999999999999')}",
        f"aws-sm:{_arn(name, partition='aws-cn')}",
        f"aws-sm:{_arn(name).upper()}",
        f"aws-sm:{_arn(f'{through}/../{project}/db')}",
        f"aws-sm:{_arn(f'{through}/db:{name}')}",
        f"aws-sm:{_arn(f'{through}/{_arn(name)}')}",
    ]


def _parameters(project: str, name: str, through: str) -> list[str]:
    return [
        f"aws-ssm:/{name}",
        f"aws-ssm:{name}",
        f"aws-ssm://{name}",
        f"aws-ssm:/{through}/../{project}/db",
        f"aws-ssm:/{through}//../{project}/db",
        f"aws-ssm:/{name}:1",
        f"aws-ssm:/aws/reference/secretsmanager/{name}",
        f"aws-ssm:arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{name}",
    ]


OTHERS = [
    *(f"aws-sm:{name}" for name in NOBODYS),
    *(f"aws-ssm:/{name}" for name in NOBODYS),
    "aws-sm:*",
    "aws-sm:oasthouse/*/db",
    "aws-sm:oasthouse/football*/db",
    "aws-sm:oasthouse/?ivals/db",
    "aws-sm:oasthouse/{project}/db",
    "aws-sm:oasthouse/%(project)s/db",
    "aws-ssm:/oasthouse/*/db",
    "aws-ssm:/oasthouse",
    "AWS-SM:oasthouse/rivals/db",
    "aws_sm:oasthouse/rivals/db",
    "aws-sm::oasthouse/rivals/db",
    "aws-sm:aws-sm:oasthouse/rivals/db",
    "secretsmanager:oasthouse/rivals/db",
    "stored:01a209cc-6d57-7240-9c17-fbe7d6e19daf",
    "env:OAST_SECRET_RIVALS",
    "env:OAST_SECRET_RIVALS#x",
    "env:oast_secret_rivals",
    "env: OAST_SECRET_RIVALS",
    "env:AWS_SECRET_ACCESS_KEY",
    "env:OAST_DATABASE_URL",
    "env:OAST_SECRETS__KEY",
    "env:PATH",
    "file:rivals",
    "file:./rivals",
    "file:pepper",
    "file:../files/rivals",
    "file:/etc/passwd",
    "file:rivals#x",
    "file:%72ivals",
]
REFERENCES = list(dict.fromkeys([*OTHERS, *(way for project in NEIGHBOURS for way in _spellings(project))]))
