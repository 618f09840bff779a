"""What training jobs cost, computed from their documents and AWS's prices with exact fractions.

Written from the views' documentation, not from their SQL, to compare them with.  A price list's rates are those that
test/service/prices.py wrote down when it made the list.

Not accounted for: jobs that Describe would never return, such as one with an instance type but no count.
"""
import calendar
import collections
import datetime
from fractions import Fraction

UTC = datetime.timezone.utc
TRAINING, SPOT, WARM_POOL, STORAGE, WARM_POOL_STORAGE = "training", "spot", "warm pool", "storage", "warm pool storage"
OPEN = ("Available", "InUse")
FOR_EVER = datetime.datetime.max.replace(tzinfo=UTC)
FALL_BACK = {SPOT: TRAINING, WARM_POOL: TRAINING, WARM_POOL_STORAGE: STORAGE}


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


class History:
    """The rates that a table of prices stores; meters: those of each region, charge and type; disks: instance types with local disks."""

    def __init__(self):
        self.rates, self.meters, self.disks = {}, collections.defaultdict(list), set()

    def refresh(self, regions, rates, at):
        """Record what is listed in these regions at a time.  rates: rows of expected_rates."""
        listed = set()
        for rate in rates:
            key = (rate["rate_code"], rate["effective_date"], Fraction(rate["price"]), rate["currency"])
            listed.add(key)
            if key not in self.rates:
                self.rates[key] = {**rate, "price": Fraction(rate["price"]), "effective": moment(rate["effective_date"]), "seen": at}
                self.meters[rate["region"], rate["charge"], rate["instance_type"]].append(self.rates[key])
                if rate["attributes"].get("storage", "EBS only") != "EBS only":
                    self.disks.add((rate["region"], rate["instance_type"]))
            self.rates[key]["withdrawn"] = None
        for key, kept in self.rates.items():
            if kept["region"] in regions and key not in listed and kept["withdrawn"] is None:
                kept["withdrawn"] = at

    def in_force(self, region, charge, instance_type, at):
        """(the rates in force at a time, whether it precedes all of them): if it does, they are the earliest known ones."""
        rates = self.meters.get((region, charge, instance_type))
        if not rates:
            return [], False
        early = at < min(rate["effective"] for rate in rates)
        if early:
            at = min(rate["effective"] for rate in rates)
        # Of what had begun, what was still listed; where that is nothing, what was listed last.
        begun = [rate for rate in rates if rate["effective"] <= at]
        last = {id(rate): rate["withdrawn"] if rate["withdrawn"] and rate["withdrawn"] <= at else FOR_EVER for rate in begun}
        listed = [rate for rate in begun if last[id(rate)] == max(last.values())]

        def replaces(new, old):
            return old["withdrawn"] is not None and new["seen"] >= old["withdrawn"]

        def superseded(rate):
            """By a rate with a later date; or, before this one was seen, by one that begins no earlier and that this one replaced."""
            return any(other["effective"] > rate["effective"] and (other["sku"] == rate["sku"] or replaces(other, rate))
                       or other["effective"] >= rate["effective"] and replaces(rate, other) and at < rate["seen"]
                       for other in listed)

        return [rate for rate in listed if not superseded(rate)], early


def months(start, end):
    """(the part of the time from start to end, the month's hours) of each calendar month in UTC."""
    def days(time):
        return calendar.monthrange(time.year, time.month)[1]

    if end <= start:
        return [(Fraction(1), days(start) * 24)]
    parts, begin = [], start
    while begin < end:
        after = begin.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=days(begin))
        until = min(after, end)
        parts.append((Fraction((until - begin) // datetime.timedelta(microseconds=1),
                               (end - start) // datetime.timedelta(microseconds=1)), days(begin) * 24))
        begin = until
    return parts


def groups_of(config):
    """(name, type, count) of each instance group."""
    if config.get("InstanceGroups"):
        return [(group.get("InstanceGroupName"), group.get("InstanceType"), group.get("InstanceCount"))
                for group in config["InstanceGroups"]]
    return [(None, config.get("SelectedInstanceType", config.get("InstanceType")),
             config.get("SelectedInstanceCount", config.get("InstanceCount")))]


def plan_of(config):
    """Whether a training plan pays for the job: True, False, or None where that is not known."""
    if config.get("TrainingPlanArn"):
        return True
    selected, count = config.get("SelectedInstanceType"), config.get("SelectedInstanceCount")
    plans = {bool(preference.get("TrainingPlanArns")) for preference in config.get("InstancePreferences", [])
             if preference["InstanceType"] == selected and preference.get("InstanceCount", count) == count}
    return None if len(plans) == 2 else plans == {True}


def charges_of(job, history):
    """(charge, group's name, type, count, GB of a volume or None) of each row that a job has."""
    config, pool = job["resource_config"] or {}, job["warm_pool_status"] or {}
    has_pool = pool.get("Status") in OPEN or pool.get("ResourceRetainedBillableTimeInSeconds", 0) > 0
    for name, instance_type, count in groups_of(config):
        volume = config.get("VolumeSizeInGB") or None
        if (job["region"], instance_type) in history.disks:
            volume = None
        yield SPOT if job["enable_managed_spot_training"] else TRAINING, name, instance_type, count, None
        if volume:
            yield STORAGE, name, instance_type, count, volume
        if has_pool:
            yield WARM_POOL, name, instance_type, count, None
        if has_pool and volume:
            yield WARM_POOL_STORAGE, name, instance_type, count, volume


def open_reason(job, is_pool):
    """Why it is not yet known how long a charge lasted."""
    config = job["resource_config"]
    if config is None:
        return "serverless"
    if "InstancePreferences" in config and "SelectedInstanceType" not in config:
        return "not selected yet"
    if job["training_job_status"] in ("InProgress", "Stopping"):
        return "running"
    if is_pool and job["warm_pool_status"]["Status"] in OPEN:
        return "warm pool open"
    return None


def price_of(history, job, charge, instance_type, at):
    """(columns of a charge's price, the reason why it has none): one of the two is None."""
    for tried in (charge, FALL_BACK.get(charge)):
        rates, early = history.in_force(job["region"], tried, instance_type, at)
        if rates:
            break
    if len({(rate["price"], rate["currency"]) for rate in rates}) != 1:
        return None, "ambiguous price" if rates else "no price"
    rate = min(rates, key=lambda rate: (-rate["effective"].timestamp(), rate["rate_code"]))
    return {"usage_type": rate["usage_type"], "operation": rate["operation"], "sku_id": rate["sku"],
            "sku_price_id": rate["rate_code"], "pricing_unit": rate["unit"], "list_unit_price": rate["price"],
            "billing_currency": rate["currency"], "price_effective_date": rate["effective"],
            "price_basis": tried + " rate" if tried != charge else "earliest known" if early else "in force"}, None


def job_charges(job, history):
    """A job's rows of job_charges, as dicts without NULL columns."""
    config, pool = job["resource_config"] or {}, job["warm_pool_status"] or {}
    start, end = moment(job["training_start_time"]), moment(job["training_end_time"])
    running = job["training_job_status"] in ("InProgress", "Stopping")
    for charge, name, instance_type, count, volume in charges_of(job, history):
        is_pool = charge in (WARM_POOL, WARM_POOL_STORAGE)
        seconds, begin, until = job["billable_time_in_seconds"], start, end
        if is_pool:
            seconds = pool.get("ResourceRetainedBillableTimeInSeconds")
            begin, until = end, end + datetime.timedelta(seconds=seconds) if end and seconds is not None else None
        reason = open_reason(job, is_pool)
        never = start is None and not running and not is_pool
        if never and reason != "serverless":
            seconds, reason = 0, None
        elif reason is None and seconds is None:
            reason = "billable time not known"
        price, no_price = price_of(history, job, charge, None if volume else instance_type,
                                   start or moment(job["creation_time"]))

        # How much, and what it costs: exactly, or why not.
        quantity = cost = prepaid = None
        if reason is None:
            quantity = Fraction(seconds * (count or 0), 3600)
            if volume and seconds:
                quantity *= volume * sum(part / hours for part, hours in months(begin, until))
            plan = not volume and plan_of(config)
            if plan and not never:
                reason, cost = "prepaid", Fraction(0)
                prepaid = Fraction(0) if seconds == 0 else price and quantity * price["list_unit_price"]
            elif seconds == 0:
                cost = Fraction(0)
            elif plan is None:
                reason = "plan not known"
            elif no_price:
                reason = no_price
            else:
                cost = quantity * price["list_unit_price"]
        row = {"resource_id": job["training_job_arn"], "sub_account_id": job["account_id"], "region_id": job["region"],
               "training_job_name": job["training_job_name"], "training_job_status": job["training_job_status"],
               "group_name": name, "charge": charge, "instance_type": instance_type, "pricing_quantity": quantity,
               "list_cost": cost, "prepaid_list_cost": prepaid, "charge_period_start": begin,
               "charge_period_end": None if reason in ("running", "warm pool open") else until,
               "reason": reason, "tags": job["tags"], "creation_time": moment(job["creation_time"]), **(price or {})}
        yield {column: value for column, value in row.items() if value is not None}


def job_costs(charges):
    """A job's row of job_costs, from its rows of job_charges."""
    def total(column, of=None):
        costs = [row[column] for row in charges if column in row and (of is None or row["charge"] in of)]
        return sum(costs) if costs and len(currencies) < 2 else None

    currencies = {row["billing_currency"] for row in charges if "billing_currency" in row}
    row = {**{column: charges[0][column] for column in ("resource_id", "sub_account_id", "region_id", "training_job_name",
                                                        "training_job_status", "creation_time", "tags") if column in charges[0]},
           "billing_currency": min(currencies) if len(currencies) == 1 else None,
           "list_cost": total("list_cost"), "training_list_cost": total("list_cost", (TRAINING, SPOT)),
           "warm_pool_list_cost": total("list_cost", (WARM_POOL,)),
           "storage_list_cost": total("list_cost", (STORAGE, WARM_POOL_STORAGE)),
           "prepaid_list_cost": total("prepaid_list_cost"),
           "charges": len(charges), "unpriced_charges": sum("list_cost" not in row for row in charges),
           "reasons": sorted({row["reason"] for row in charges if "reason" in row}) or None,
           "charge_period_start": min((row["charge_period_start"] for row in charges if "charge_period_start" in row), default=None),
           "charge_period_end": max((row["charge_period_end"] for row in charges if "charge_period_end" in row), default=None)}
    return {column: value for column, value in row.items() if value is not None}
