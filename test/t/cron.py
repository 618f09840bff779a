"""A refresh that pg_cron runs.

Run below test/with-service.  The cluster is the test's own, and has pg_cron, which
starts jobs on the minute: the test waits for that.
"""
from harness import Cluster, Session, Tap, make_server, wait_for


def main():
    tap = Tap()
    cluster = Cluster(["shared_preload_libraries=pg_cron", "cron.use_background_workers=on", "max_worker_processes=20"])
    try:
        cluster.start()
        session = Session()
        session.run("CREATE EXTENSION pg_cron; CREATE EXTENSION sagemaker_fdw; CREATE SCHEMA reports")
        make_server(session, "history")
        session.run("SELECT cron.schedule('refresh', '* * * * *', "
                    "$$CALL sagemaker_fdw_refresh('reports.training_jobs', 'history.training_jobs', since => '2017-11-01')$$)")
        wait_for(lambda: session.run("SELECT status FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')") != [],
                 "the job has run", 150)
        tap.equal(session.run("SELECT status, command LIKE 'CALL %' FROM cron.job_run_details ORDER BY runid LIMIT 1"), ["succeeded|t"],
                  "a lone CALL succeeds")
        tap.equal(session.run("SELECT count(*) FROM reports.training_jobs"), ["300"], "... and has filled the table")
        session.close()
    finally:
        cluster.remove()
    tap.end()


if __name__ == "__main__":
    main()
