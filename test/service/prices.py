"""AWS's Price List API, as far as SageMaker's prices go: GetProducts, and the prices that it gives.

The list is made, not real: every instance type of the API's model in five regions, with training, spot and warm pool
rates, and storage, among everything that looks like one of them and is not.  What a right client makes of it is
written down while the list is made (expected_rates), not read from it.  Only TRAINING_EXACTLY are AWS's own prices.

Not accounted for: DescribeServices and GetAttributeValues, filters other than regionCode, services other than
SageMaker, reserved terms, and prices that the account has negotiated.
"""
import base64
import collections
import decimal
import functools
import hashlib
import json
import random
import re

from operations import Failure, answer, check_request, make_token, read_token
from store import MODEL

SERVICE = "pricing"
TARGET = "AWSPriceListService."
SERVICE_CODE = "AmazonSageMaker"
LARGEST_PAGE = 100

# What tests may set, beside the endpoint's own settings.
QUIRKS = {
    "price_cut": None,          # other prices and dates: see check_cut
}

# What a rate is for.
TRAINING, SPOT, WARM_POOL, STORAGE, WARM_POOL_STORAGE = "training", "spot", "warm pool", "storage", "warm pool storage"

SIGNS = {"USD": "$", "CNY": "¥"}
Place = collections.namedtuple("Place", "prefix location currency factor")
PLACES = {
    "us-east-1": Place("USE1-", "US East (N. Virginia)", "USD", "1"),
    "us-west-2": Place("USW2-", "US West (Oregon)", "USD", "1"),
    "eu-west-1": Place("EU-", "EU (Ireland)", "USD", "1.11"),
    "us-gov-west-1": Place("UGW1-", "AWS GovCloud (US-West)", "USD", "1.2"),
    "cn-northwest-1": Place("CNW1-", "China (Ningxia)", "CNY", "7.03"),
}
COMMERCIAL = ("us-east-1", "us-west-2", "eu-west-1", "us-gov-west-1")
# The regions that have the API, and whose prices they know.
HOSTS = {"us-east-1": COMMERCIAL, "eu-central-1": COMMERCIAL, "ap-south-1": COMMERCIAL,
         "cn-northwest-1": ("cn-northwest-1",), "eusc-de-east-1": ()}

# Types with an odd training rate, or none; they have no rates for spot or warm pools.
ABSENT = "ml.trn1n.32xlarge"            # no training item
NO_TERMS = "ml.p2.xlarge"
NO_DIMENSIONS = "ml.p2.8xlarge"
SAME_PRICE_TWICE = "ml.m4.xlarge"       # two SKUs
TWO_PRICES = "ml.m4.2xlarge"            # two SKUs
FUTURE_TERM = "ml.m4.4xlarge"           # a second one
TIERS = "ml.m4.10xlarge"
QUANTITY = "ml.m4.16xlarge"             # the unit
OTHER_CURRENCY = "ml.c4.xlarge"         # only CNY, and in China only USD
TEN_DECIMALS = "ml.c4.2xlarge"
NO_JSON = "ml.c4.4xlarge"
ZERO_TWIN = "ml.c4.8xlarge"             # beside the rate, one of price 0
OUTPOSTS = ("ml.m5.xlarge", "ml.c5.4xlarge")
ODD = {ABSENT, NO_TERMS, NO_DIMENSIONS, SAME_PRICE_TWICE, TWO_PRICES, FUTURE_TERM, TIERS, QUANTITY, OTHER_CURRENCY,
       TEN_DECIMALS, NO_JSON, ZERO_TWIN}

SPOT_REGION = "us-west-2"               # where spot has a rate of its own
SPOT_FACTOR = decimal.Decimal("1.12")
FUTURE = "2099-01-01T00:00:00Z"
DATES = ("2023-12-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z")
UNITS = ("Hrs", "Hr", "Hour", "Hours", "hrs", "HOURS")

TRAINING_EXACTLY = {("us-east-1", "ml.m5.large"): "0.115", ("us-east-1", "ml.p4d.24xlarge"): "25.2510"}
ACCELERATED = re.compile(r"ml\.(g|p|trn)\d")
OWN_DISKS = re.compile(r"ml\.(g4dn|g5|g6|g6e|g7|g7e|p3dn|p4d|p4de|p5|p5e|p5en|p6-b200|p6-b300|p6e-gb200|trn1|trn1n|trn2|r5d)\.")
# Usage type and component of what else runs on the instance types, and how much dearer it is.
NEIGHBOURS = (("Host", "Hosting", "0.0001"), ("Processing", "Processing", "0.0002"), ("Notebk", "Notebook", "0.0003"),
              ("Cluster", "Cluster", "0.0004"))

PLACES_OF_PRICE = decimal.Decimal("1e-10")
REQUEST = {"ServiceCode": {"type": "string"}, "Filters": {"type": "list"}, "FormatVersion": {"type": "string"},
           "NextToken": {"type": "string"}, "MaxResults": {"type": "integer", "min": 1, "max": LARGEST_PAGE}}


def instance_types():
    """The types of the API's model."""
    config = next(member for member in MODEL["describe"] if member["attribute"] == "ResourceConfig")
    return config["members"]["InstanceType"]["enum"]


def family_of(instance_type):
    """m5 of ml.m5.large."""
    return instance_type.split(".")[1]


def training_price(region, instance_type):
    """A price in the region's currency, of four decimals."""
    if (region, instance_type) in TRAINING_EXACTLY:
        return decimal.Decimal(TRAINING_EXACTLY[region, instance_type])
    families = sorted({family_of(one) for one in instance_types()})
    size = instance_type.split(".")[2]
    larges = {"medium": decimal.Decimal("0.5"), "large": 1, "xlarge": 2}.get(size) or 2 * int(size[:-len("xlarge")])
    each = decimal.Decimal("0.3" if ACCELERATED.match(instance_type) else "0.1")
    each += families.index(family_of(instance_type)) * decimal.Decimal("0.003")
    return (each * larges * decimal.Decimal(PLACES[region].factor)).quantize(decimal.Decimal("1e-4"))


def check_cut(cut):
    """A cut is None, or an object of effective_date, percent, and instance_types (default: all, and storage)."""
    if cut is not None:
        if not isinstance(cut, dict) or cut.keys() - {"effective_date", "percent", "instance_types"}:
            raise ValueError("a price cut has an effective_date, a percent, and instance_types")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", cut["effective_date"]):
            raise ValueError("an effective_date is YYYY-MM-DDTHH:MM:SSZ")
        if type(cut["percent"]) is not int:
            raise ValueError("the percent is a whole number")


class Maker:
    """Makes a region's items, and writes down which of them are rates.

    items: (the item as a string, whether it has a rate).  rates: the rows of expected_rates.
    """

    def __init__(self, region, cut):
        self.region, self.cut, self.place = region, cut, PLACES[region]
        self.items, self.rates = [], []

    def sku(self):
        """The next item's, which no cut changes."""
        digest = hashlib.sha256(("%s %d" % (self.region, len(self.items))).encode()).digest()
        return base64.b32encode(digest)[:16].decode()

    def now(self, price, date, about):
        """A price and its date as they are sent, after the cut if it concerns what the price is about."""
        cut = self.cut
        if cut is None or date == FUTURE or about not in cut.get("instance_types", [about]):
            return price, date
        return price * (100 - cut["percent"]) / 100, cut["effective_date"]

    def item(self, usage_type, description, terms, attributes, unit, charge=None, about=None, currency=None,
             operation="RunInstance", family="ML Instance", cut_off=0):
        """Add an item.

        description: %s stands for its price.  terms: (effective date, prices of the tiers) of each.  charge: what it is
        a rate for, if it is one.  about: the instance type, None for storage.  cut_off: so many characters are missing.
        """
        sku, currency = self.sku(), currency or self.place.currency
        sent_attributes = {"servicecode": SERVICE_CODE, "location": self.place.location, "locationType": "AWS Region",
                           "regionCode": self.region, "servicename": "Amazon SageMaker", "operation": operation,
                           "usagetype": usage_type, **attributes}

        # Terms, by codes that do not change: the first is in force.
        on_demand = {}
        for number, (date, tiers) in enumerate(terms):
            code = ("JRTCKXETXF", "NR2KXETXF4")[number]
            dimensions = {}
            for tier, price in enumerate(tiers):
                price, effective_date = self.now(decimal.Decimal(price), date, about)
                price = format(price.quantize(PLACES_OF_PRICE), "f")
                rate_code = "%s.%s.%s" % (sku, code, ("6YS6EN2CT7", "BDFAKRSXM6")[tier])
                text = description % (SIGNS[currency] + (price.rstrip("0").rstrip(".") or "0"))
                dimensions[rate_code] = {
                    "unit": unit, "endRange": "Inf" if tier == len(tiers) - 1 else "100", "description": text,
                    "appliesTo": [], "rateCode": rate_code, "beginRange": "100" if tier else "0",
                    "pricePerUnit": {currency: price}}
                # Write down what a right client makes of this.
                if charge is not None and date != FUTURE:
                    self.rates.append({
                        "region": self.region, "charge": charge, "instance_type": about, "usage_type": usage_type,
                        "operation": operation, "price": price, "currency": currency, "unit": unit,
                        "effective_date": effective_date, "sku": sku, "rate_code": rate_code, "description": text,
                        "attributes": sent_attributes})
            on_demand["%s.%s" % (sku, code)] = {
                "priceDimensions": dimensions, "sku": sku, "effectiveDate": self.now(0, date, about)[1],
                "offerTermCode": code, "termAttributes": {}}

        # The item, as a string; one may be cut short.
        document = {"product": {"productFamily": family, "attributes": sent_attributes, "sku": sku},
                    "serviceCode": SERVICE_CODE, "terms": {"OnDemand": on_demand} if terms else {},
                    "version": "20250601000000", "publicationDate": "2025-06-01T00:00:00Z"}
        text = json.dumps(document)
        self.items.append((text[:len(text) - cut_off], charge is not None))

    def instance_attributes(self, instance_type, component, form):
        """What an item says about its instance type; only the family is the same in all five forms."""
        attributes = {"platoinstancename": family_of(instance_type), "platoinstancetype": component,
                      "component": component, "vCpu": "4", "memory": "16 GiB", "gpu": "N/A",
                      "computeType": "Accelerated" if ACCELERATED.match(instance_type) else "Standard",
                      "storage": "1 x 450 NVMe SSD" if OWN_DISKS.match(instance_type) else "EBS only",
                      "networkPerformance": "Up to 10 Gigabit", "currentGeneration": "Yes"}
        suffix = "-" + component.replace("SpotTraining", "Training")
        attributes.update(({"instanceName": instance_type}, {"instanceType": instance_type + suffix},
                           {"instanceType": instance_type + suffix.lower()}, {"instanceType": "NA"}, {})[form % 5])
        return attributes

    # -- what there is of each instance type -----------------------------------------

    def training(self, instance_type, number):
        """The training rate, as odd as the type's is; one usage type in seven has no prefix."""
        price, date = training_price(self.region, instance_type), DATES[number % len(DATES)]
        usual = {"terms": [(date, [price])], "unit": UNITS[number % len(UNITS)], "charge": TRAINING, "about": instance_type}
        items = {
            ABSENT: [],
            NO_TERMS: [{"terms": []}],
            NO_DIMENSIONS: [{"terms": [(date, [])]}],
            SAME_PRICE_TWICE: [{}, {}],
            TWO_PRICES: [{}, {"terms": [(date, [price + decimal.Decimal("0.01")])]}],
            FUTURE_TERM: [{"terms": [(date, [price]), (FUTURE, [price / 2])]}],
            TIERS: [{"terms": [(date, [price, price * decimal.Decimal("0.9")])]}],
            QUANTITY: [{"unit": "Quantity", "charge": None}],
            OTHER_CURRENCY: [{"currency": "USD" if self.place.currency == "CNY" else "CNY"}],
            TEN_DECIMALS: [{"terms": [(date, [price + decimal.Decimal("0.0000678901")])]}],
            NO_JSON: [{"cut_off": 200, "charge": None}],
            ZERO_TWIN: [{}, {"terms": [(date, [0])], "charge": None}],
        }
        for odd in items.get(instance_type, [{}]):
            self.item(("" if number % 7 == 6 else self.place.prefix) + "Train:" + instance_type,
                      "%%s per Training %s hour in %s" % (instance_type, self.place.location),
                      attributes=self.instance_attributes(instance_type, "Training", number), **{**usual, **odd})

    def spot(self, instance_type, number):
        """The rate of managed spot; one type in five has none."""
        if instance_type in ODD or number % 5 == 4:
            return
        price = training_price(self.region, instance_type) * (SPOT_FACTOR if self.region == SPOT_REGION else 1)
        attributes = self.instance_attributes(instance_type, "SpotTraining", number // 5)
        # either attribute may say so, or both
        if number % 3 == 0:
            attributes["component"] = "Training"
        elif number % 3 == 1:
            attributes["platoinstancetype"] = "Training"
        self.item(("" if number % 6 == 4 else self.place.prefix) + "TrSpt:" + instance_type,
                  "%%s per Managed Spot Training %s hour in %s" % (instance_type, self.place.location),
                  [(DATES[(number + 1) % len(DATES)], [price])], attributes, UNITS[(number + 1) % len(UNITS)], SPOT, instance_type)

    def warm_pool(self, instance_type, number):
        """The rate of a warm pool, which only the description tells; one type in seven has none."""
        if instance_type in ODD or number % 7 == 0:
            return
        # the last form leaves the type to the attributes
        usage_type, form = (("Train:" + instance_type, number), ("TrKA:" + instance_type, number),
                            ("TrKA:" + instance_type[len("ml."):], number // 3 % 3))[number % 3]
        self.item(self.place.prefix + usage_type,
                  "%%s per Training Warm Pool %s hour in %s" % (instance_type, self.place.location),
                  [(DATES[(number + 2) % len(DATES)], [training_price(self.region, instance_type)])],
                  self.instance_attributes(instance_type, "Training", form), UNITS[(number + 2) % len(UNITS)], WARM_POOL, instance_type)

    def neighbours(self, instance_type, number):
        """What else runs on the type, at slightly other prices."""
        price = training_price(self.region, instance_type)
        def add(usage_type, description, component, more, **how):
            attributes = self.instance_attributes(instance_type, component, number)
            attributes.update(how.pop("attributes", {}))
            self.item(self.place.prefix + usage_type, "%s per " + description, [(DATES[0], [price + decimal.Decimal(more)])],
                      attributes, "Hrs", about=instance_type, **how)
        for usage, component, more in NEIGHBOURS:
            add("%s:%s" % (usage, instance_type), "%s %s hour in %s" % (component, instance_type, self.place.location), component, more)
        if ACCELERATED.match(instance_type):
            add("Cluster:%s-Reserved" % instance_type, "Reserved Cluster %s hour for Training" % instance_type, "Cluster", "0.0005")
            add("Train:%s-Reserved" % instance_type, "Reserved Training %s hour" % instance_type, "Training", "0.0006")
            self.plan_fee(instance_type, price / 2)
        if instance_type in OUTPOSTS:
            add("Train:" + instance_type, "Training %s hour on Outposts" % instance_type, "Training", "0.0007",
                attributes={"locationType": "AWS Outposts"})

    def plan_fee(self, instance_type, price):
        """What a training plan costs in advance, for an hour."""
        attributes = self.instance_attributes(instance_type, "", 4)
        del attributes["component"], attributes["platoinstancetype"]
        self.item(self.place.prefix + "TrainingPlanUpfrontFee:" + instance_type,
                  "%%s upfront fee for Training Plan of %s" % instance_type, [(DATES[0], [price])], attributes, "Quantity",
                  about=instance_type, family="ML Training Plan")

    # -- what there is once ------------------------------------------------------------

    def volumes(self):
        """Storage: of training, of warm pools, and of others."""
        price, prefix = decimal.Decimal("0.14") * decimal.Decimal(self.place.factor), self.place.prefix
        def add(usage_type, what, charge=None, component=None, more="0"):
            self.item(prefix + usage_type, "%s per GB-Mo of " + what, [(DATES[1], [price + decimal.Decimal(more)])],
                      {"volumeType": "General Purpose", **({"component": component} if component else {})}, "GB-Mo", charge,
                      operation="CreateVolume-Gp2", family="ML Storage")
        # training's is told by the usage type, the component or the description alone; a warm pool's always by the description
        training, warm_pool = (
            (("Train:VolumeUsage.gp2", "Training ML storage", STORAGE),
             ("Train:VolumeUsage.gp2", "Training Warm Pool ML storage", WARM_POOL_STORAGE, "Training")),
            (("VolumeUsage.gp2", "ML storage", STORAGE, "Training"),
             ("TrKA:VolumeUsage.gp2", "Training Warm Pool ML storage", WARM_POOL_STORAGE, "Training")),
            (("VolumeUsage.gp3", "Training ML storage", STORAGE),
             ("VolumeUsage.gp3", "Training Warm Pool ML storage", WARM_POOL_STORAGE)))[list(PLACES).index(self.region) % 3]
        add(*training)
        add(*warm_pool)
        for number, (usage, component, _more) in enumerate(NEIGHBOURS):
            add("%s:VolumeUsage.gp2" % usage, "%s ML storage" % component, component=component, more="0.00%d" % (number + 1))
        add("Cluster:VolumeUsage.gp3", "Cluster storage for Training", component="Cluster", more="0.005")
        add("FeatureStore:Storage", "feature storage", more="0.31")

    def free_tier(self):
        """Hours that are free, then not."""
        for date, prices in ((DATES[0], [0]), (DATES[1], ["0", "0.269"])):
            self.item(self.place.prefix + "Train:ml.m.xlarge-TrainingParent", "%s per Training ml.m.xlarge hour, monthly free tier",
                      [(date, prices)], {"component": "Training", "platoinstancename": "m", "platoinstancetype": "Training"}, "Hrs")

    def others(self):
        """What has no instance type."""
        for usage, unit, what in (("Data-Bytes-In", "GB", "data processed in"), ("Canvas:Training-Cells", "Cells", "cells of Training"),
                                  ("Serverless-Inf-Mem", "Second", "serverless inference")):
            self.item(self.place.prefix + usage, "%s for " + what, [(DATES[0], ["0.016"])], {}, unit, family="ML Data Transfer")


@functools.lru_cache(maxsize=32)
def made(region, cut):
    """The region's list.  cut: as JSON."""
    maker = Maker(region, json.loads(cut))
    # each region turns the forms a little further
    for number, instance_type in enumerate(instance_types(), list(PLACES).index(region)):
        maker.training(instance_type, number)
        maker.spot(instance_type, number)
        maker.warm_pool(instance_type, number)
        maker.neighbours(instance_type, number)
    maker.volumes()
    maker.free_tier()
    maker.others()
    return maker


def expected_rates(region, cut=None):
    """The rows that a right client makes of the region's list, in the order of charge, type and rate code.

    The price is the text as sent, and attributes are the product's.  Of a type with two prices, or two SKUs or tiers,
    each is a row; a term that is not in force yet is none.
    """
    if region not in PLACES:
        return []
    rates = made(region, json.dumps(cut, sort_keys=True)).rates
    return sorted(rates, key=lambda rate: (rate["charge"], rate["instance_type"] or "", rate["rate_code"]))


# -- the operation -------------------------------------------------------------------------------

def invalid_parameter(message):
    return Failure("InvalidParameterException", "Input Parameters are invalid. " + message)


def chosen_region(filters):
    """The region that the one filter which is served names."""
    for filter in filters:
        if not isinstance(filter, dict) or {"Type", "Field", "Value"} != filter.keys() or not all(
                isinstance(value, str) for value in filter.values()):
            raise Failure("SerializationException", "A filter has a Type, a Field and a Value, which are strings")
    if [(filter["Type"], filter["Field"]) for filter in filters] != [("TERM_MATCH", "regionCode")]:
        raise invalid_parameter("Only one filter, TERM_MATCH of regionCode, is served here")
    return filters[0]["Value"]


def check(body):
    """The request's members, checked."""
    body = check_request(body, REQUEST)
    if not body.get("ServiceCode"):
        raise invalid_parameter("serviceCode cannot be null or empty")
    if body["ServiceCode"] != SERVICE_CODE:
        raise invalid_parameter("Only the service code %s is served here" % SERVICE_CODE)
    if body.get("FormatVersion", "aws_v1") != "aws_v1":
        raise invalid_parameter("formatVersion is aws_v1")
    return body


class Prices:
    """The list as it is served: every walk over a region's has an order of its own."""

    def __init__(self):
        # how many walks there were, and the last one whose tokens have expired
        self.walks, self.expired = collections.Counter(), collections.Counter()

    def expire(self, request):
        """The tokens of all walks over the list that a request, as text, asks for have expired."""
        region = chosen_region(json.loads(request)["Filters"])
        self.expired[region] = self.walks[region]

    def walk(self, region, number, cut):
        """The items of the region's walk of that number; the first, which has a rate, comes once more at the end."""
        items = list(made(region, json.dumps(cut, sort_keys=True)).items)
        random.Random("%s %d" % (region, number)).shuffle(items)
        first = next(index for index, (_text, rated) in enumerate(items) if rated)
        items[0], items[first] = items[first], items[0]
        return items + items[:1]

    def get_products(self, host, body, config):
        """A page; the second of a walk is empty.  host: the region that the request is signed for."""
        body = check(body)
        region = chosen_region(body.get("Filters", []))
        try:
            place = read_token(body)
        except Failure:
            raise Failure("InvalidNextTokenException",
                          "The pagination token is invalid. Try again without a pagination token.") from None
        page, token = [], None
        if region in HOSTS[host]:
            if place is None:
                self.walks[region] += 1
                place = [self.walks[region], 0, False]
            number, begin, empty = place
            if number <= self.expired[region]:
                raise Failure("ExpiredNextTokenException",
                              "The pagination token expired. Try again without a pagination token.")
            items = self.walk(region, number, config["price_cut"])
            end = begin if empty else begin + body.get("MaxResults", LARGEST_PAGE)
            page = items[begin:end]
            if end < len(items):
                token = make_token([number, end, begin == 0 and not empty], body)
        return answer(b'{"FormatVersion":"aws_v1","PriceList":[', [json.dumps(text).encode() for text, _rated in page], token)

    def run(self, operation, host, body, config):
        """The response's bytes; raises Failure."""
        return OPERATIONS[operation](self, host, body, config)


OPERATIONS = {"GetProducts": Prices.get_products}
