"""Checks that the endpoints of all regions that botocore knows are those that it resolves; prints TAP.

	endpoint_differential.py DRIVER

Every region of SageMaker in every partition, with each variant, and custom endpoints; and
the region's own STS, with and without FIPS.
Left out are cases where botocore's versions disagree, or have no answer: dual
stack in the isolated partitions, and FIPS alone in aws-us-gov; and custom endpoints with
a variant, which are an error here.
"""
import itertools
import subprocess
import sys

import botocore.config
import botocore.exceptions
import botocore.session


def judge(session, service, region, fips, dualstack, custom):
    try:
        client = session.create_client(
            service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x",
            endpoint_url=None if custom == "-" else custom,
            config=botocore.config.Config(use_fips_endpoint=bool(fips), use_dualstack_endpoint=bool(dualstack)))
    except (botocore.exceptions.BotoCoreError, ValueError):
        return "error"
    return client.meta.endpoint_url


def main():
    session = botocore.session.Session()
    session.set_config_variable("sts_regional_endpoints", "regional")
    cases = []
    for partition in session.get_available_partitions():
        regions = session.get_available_regions("sagemaker", partition_name=partition) or []
        for region, fips, dualstack in itertools.product(regions, (0, 1), (0, 1)):
            if (dualstack and partition.startswith("aws-iso")) or (partition == "aws-us-gov" and fips and not dualstack):
                continue
            if "fips" not in region:
                cases.append(("sagemaker", region, fips, dualstack, "-"))
        cases += [("sts", region, fips, 0, "-") for region in session.get_available_regions("sts", partition_name=partition)
                  for fips in (0, 1)]
    customs = ["https://vpce-1.api.sagemaker.us-east-1.vpce.amazonaws.com", "http://127.0.0.1:8000",
               "http://localhost/path", "https://[2001:db8::1]:8443"]
    cases += [("sagemaker", region, 0, 0, custom) for region in ("us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "xx-new-1")
              for custom in customs]
    lines = subprocess.run([sys.argv[1]], input="".join("%s %s %d %d %s\n" % case for case in cases), check=True,
                           stdout=subprocess.PIPE, encoding="utf-8").stdout.splitlines()
    failed = 0
    for number, (case, ours) in enumerate(zip(cases, lines), 1):
        theirs = judge(session, *case)
        same = ours.rstrip("/") == theirs.rstrip("/")
        failed += not same
        print("%s %d - %s in %s%s%s %s" % ("ok" if same else "not ok", number, case[0], case[1], " FIPS" * case[2],
                                           " dual stack" * case[3], "" if case[4] == "-" else case[4]))
        if not same:
            print("# %s, and botocore says %s" % (ours, theirs))
    enough = len(lines) == len(cases) >= 120
    print("%s %d - %d cases, at least 120" % ("ok" if enough else "not ok", len(cases) + 1, len(cases)))
    print("1..%d" % (len(cases) + 1))
    return failed > 0 or not enough


sys.exit(main())
