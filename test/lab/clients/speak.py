"""Speaks to a GitLab with python-gitlab: a client that knows nothing of sluice. Prints one JSON document of what it saw."""

import json
import os

import gitlab
from gitlab.exceptions import GitlabCreateError

url, token, project_path, sha = (os.environ[name] for name in ("GITLAB", "TOKEN", "PROJECT", "SHA"))
gl = gitlab.Gitlab(url, private_token=token)
gl.auth()
project = gl.projects.get(project_path)
seen = {"version": gitlab.__version__, "user": gl.user.username, "project": project.path_with_namespace}

commit = project.commits.get(sha)
name = "sync: staging/podinfo"
for state in ("pending", "running"):
    commit.statuses.create({"state": state, "name": name, "ref": "main", "description": state})
try:
    commit.statuses.create({"state": "running", "name": name, "ref": "main"})
    seen["again"] = 201
except GitlabCreateError as error:
    seen["again"] = error.response_code
commit.statuses.create({"state": "success", "name": name, "ref": "main", "description": "success"})
seen["statuses"] = [[one.name, one.status, one.description] for one in commit.statuses.list(get_all=True)]
seen["old"] = [one.status for one in commit.statuses.list(all=True, get_all=True, name=name)]

pipelines = project.pipelines.list(sha=sha, get_all=True)
seen["pipelines"] = [[one.source, one.status] for one in pipelines]
pipeline = project.pipelines.get(pipelines[0].id)
seen["pipeline"] = [pipeline.sha == sha, pipeline.ref]

project.branches.create({"branch": "feature", "ref": "main"})
project.commits.create(
    {
        "branch": "feature",
        "commit_message": "Feature",
        "actions": [{"action": "create", "file_path": "new.txt", "content": "new\n"}],
    }
)
request = project.mergerequests.create({"source_branch": "feature", "target_branch": "main", "title": "Feature"})
note = request.notes.create({"body": "first"})
note.body = "second"
note.save()
request.merge()
request = project.mergerequests.get(request.iid)
seen["request"] = [request.state, [one.body for one in request.notes.list(get_all=True)]]
seen["requestOf"] = [one["iid"] for one in project.commits.get(request.sha).merge_requests()]

made = project.access_tokens.create({"name": "short", "scopes": ["read_api"], "access_level": 20, "expires_at": os.environ["EXPIRES"]})
rotated = project.access_tokens.get(made.id)
rotated.rotate()
seen["rotated"] = [rotated.token != made.token, gitlab.Gitlab(url, private_token=rotated.token).projects.get(project_path).id == project.id]
try:
    gitlab.Gitlab(url, private_token=made.token).projects.get(project_path)
    seen["former"] = 200
except gitlab.exceptions.GitlabAuthenticationError as error:
    seen["former"] = error.response_code
deploy = project.deploytokens.create({"name": "pull", "scopes": ["read_registry"]})
seen["deployToken"] = [deploy.username.startswith("gitlab+deploy-token-"), deploy.token != ""]

project.deployments.create({"environment": "production", "sha": sha, "ref": "main", "tag": False, "status": "success"})
seen["deployments"] = [[one.environment["name"], one.status] for one in project.deployments.list(get_all=True)]
seen["environments"] = [one.name for one in project.environments.list(get_all=True)]
print(json.dumps(seen))
