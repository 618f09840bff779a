#!/usr/bin/env bash
# Builds the extension, and runs a report over training jobs with it.
#
#	bash test/demo.sh [--shell] [--region REGION]
#
#	--shell          leave you in psql
#	--region REGION  ask real AWS, with the keys in AWS_ACCESS_KEY_ID,
#	                 AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, instead of a
#	                 local endpoint that behaves like it
#
# It installs what it needs from the distribution, starts a throwaway Postgres
# cluster, and removes that when it ends.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

shell=
region=
while [ $# -gt 0 ]; do
	case $1 in
		--shell) shell=yes ;;
		--region)
			[ $# -ge 2 ] || die "--region needs a region, such as us-east-1"
			region=$2
			shift
			;;
		--help | -h)
			sed -n '2,/^$/s/^#[ ]\{0,1\}//p' "${BASH_SOURCE[0]}"
			exit 0
			;;
		*) die "unknown option $1; --help lists them" ;;
	esac
	shift
done
if [ -n "$region" ] && { [ -z "${AWS_ACCESS_KEY_ID:-}" ] || [ -z "${AWS_SECRET_ACCESS_KEY:-}" ]; }; then
	die "--region needs keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones)"
fi

begin
find_postgres
install_packages
say "building for PostgreSQL $pg_version"
build

if [ -n "$region" ]; then
	say "asking AWS in $region"
	export DEMO_REGION=$region
	unset SAGEMAKER_FDW_TEST_URL
else
	say "starting the local endpoint"
	start_endpoint --anchor "$(date +%s)"
	export DEMO_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDHISTORY000000001
	export AWS_SECRET_ACCESS_KEY=secret/of+the/history/account000000000001
	unset AWS_SESSION_TOKEN
	# it is STS, too, which tells whose account the keys are of
	export AWS_ENDPOINT_URL_STS=$SAGEMAKER_FDW_TEST_URL
fi
say "starting a throwaway cluster"
start_cluster

# a user's own psqlrc might change what is shown
# and a pager would wait for a key
psql="$pg_bin/psql -X -q -v ON_ERROR_STOP=1 -P pager=off"
$psql -f "$top/test/demo.sql"

if [ -n "$shell" ]; then
	say "psql: the table is aws.training_jobs; \\q ends it"
	"$pg_bin/psql" -X || true
else
	say "done; --shell leaves you in psql, --region asks real AWS"
fi
