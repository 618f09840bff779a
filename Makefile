# sagemaker_fdw: builds with PGXS against the Postgres of PG_CONFIG.
#
#	make                    build
#	make install            install (as root)
#	make installcheck       test against a running server (as its superuser)
#	make dist               sagemaker_fdw-<version>.zip from the last commit
#	make portable           sql/portable.sql, for databases that cannot load the extension
#
# WERROR=1 makes warnings errors.

EXTENSION = sagemaker_fdw
EXTVERSION = 1.0.0
MODULE_big = sagemaker_fdw
# upgrade scripts, and the install scripts of earlier releases
DATA =
# the install script, and the parts in sql/extension/ that it is joined from, in this order
DATA_built = sql/sagemaker_fdw--1.0.sql
SCRIPT_PARTS = wrapper types functions cost monitor procedures partitions refresh_state refresh_rights refresh prices cost_views

OBJS = \
	src/sagemaker_fdw.o \
	src/option.o \
	src/option_check.o \
	src/fdw/analyze.o \
	src/fdw/check.o \
	src/fdw/check_search.o \
	src/fdw/clauses.o \
	src/fdw/column.o \
	src/fdw/comment.o \
	src/fdw/concurrency.o \
	src/fdw/cost.o \
	src/fdw/demand.o \
	src/fdw/early.o \
	src/fdw/explain.o \
	src/fdw/fragment.o \
	src/fdw/functions.o \
	src/fdw/import.o \
	src/fdw/lookahead.o \
	src/fdw/lookahead_plan.o \
	src/fdw/may_raise.o \
	src/fdw/monitor.o \
	src/fdw/plan.o \
	src/fdw/plan_tree.o \
	src/fdw/prices.o \
	src/fdw/procedure.o \
	src/fdw/pushdown.o \
	src/fdw/request.o \
	src/fdw/role.o \
	src/fdw/row.o \
	src/fdw/scan.o \
	src/fdw/scan_plan.o \
	src/fdw/settle.o \
	src/fdw/value.o \
	src/fdw/wanted.o \
	src/jobs/attribute.o \
	src/jobs/batch.o \
	src/jobs/cache.o \
	src/jobs/compare.o \
	src/jobs/document.o \
	src/jobs/entry.o \
	src/jobs/job_name.o \
	src/jobs/lookups.o \
	src/jobs/operation.o \
	src/jobs/price.o \
	src/jobs/price_list.o \
	src/jobs/progress.o \
	src/jobs/proof.o \
	src/jobs/stream.o \
	src/jobs/timestamp.o \
	src/jobs/trust.o \
	src/jobs/walk.o \
	src/aws/account.o \
	src/aws/arn.o \
	src/aws/call.o \
	src/aws/call_error.o \
	src/aws/client.o \
	src/aws/config_file.o \
	src/aws/credential_inquiry.o \
	src/aws/credentials.o \
	src/aws/expiry.o \
	src/aws/inquiry.o \
	src/aws/mapping.o \
	src/aws/message.o \
	src/aws/network.o \
	src/aws/quote.o \
	src/aws/service.o \
	src/aws/xml.o \
	src/aws/providers/chain.o \
	src/aws/providers/container.o \
	src/aws/providers/environment.o \
	src/aws/providers/instance_metadata.o \
	src/aws/providers/login.o \
	src/aws/providers/process.o \
	src/aws/providers/profile.o \
	src/aws/providers/provider.o \
	src/aws/providers/shared_files.o \
	src/aws/providers/sso.o \
	src/aws/providers/sts.o \
	src/aws/providers/web_identity.o \
	src/aws/endpoint.o \
	src/aws/error_code.o \
	src/aws/json.o \
	src/aws/json_build.o \
	src/aws/json_skip.o \
	src/aws/pace.o \
	src/aws/rate.o \
	src/aws/retry.o \
	src/aws/session.o \
	src/aws/session_name.o \
	src/aws/shared.o \
	src/aws/shared_table.o \
	src/aws/sigv4.o \
	src/aws/stats.o \
	src/http/epoll.o \
	src/http/http.o \
	src/http/multi.o \
	src/http/queue.o \
	src/http/request.o \
	src/http/socket.o \
	src/http/tls.o

# one topic a file; each is run with an endpoint of its own
REGRESS = objects option hostile import comment scan lookup limit plan row document error session encoding explain cost
REGRESS_OPTS = --encoding=UTF8 --no-locale --launcher=test/with-service

PG_CONFIG ?= pg_config
PKG_CONFIG ?= pkg-config

# What it does not build on it says first, but where nothing is built.  test/tree/refusal.py tries each.
building := $(if $(filter clean distclean dist portable,$(MAKECMDGOALS)),,yes)
# the version of a library, or that there is none
found = found: $(or $(shell $(PKG_CONFIG) --modversion $(1) 2>/dev/null),none)
packages = packages: doc/install.md

ifdef building
ifneq ($(shell uname -s),Linux)
$(error only Linux is supported, not $(shell uname -s): what waits for the network is epoll and timerfd)
endif
ifeq ($(shell $(PKG_CONFIG) --version 2>/dev/null),)
$(error pkg-config is needed; PKG_CONFIG=... names it; $(packages))
endif
ifneq ($(shell $(PKG_CONFIG) --exists 'libcurl >= 7.75' && echo yes),yes)
$(error libcurl 7.75 or later is needed, with its headers; $(call found,libcurl); $(packages))
endif
ifneq ($(shell $(PKG_CONFIG) --exists 'openssl >= 1.1.1' && echo yes),yes)
$(error OpenSSL 1.1.1 or later is needed, with its headers; $(call found,openssl); $(packages))
endif
endif

# The library's own symbols are hidden; those that Postgres looks up are not, also
# where its headers do not say so yet (before version 16).
PG_CPPFLAGS = -I$(srcdir)/src -DPGDLLEXPORT='__attribute__((visibility("default")))' \
	$(shell $(PKG_CONFIG) --cflags libcurl openssl)
# callbacks have parameters they do not use, and core's macros compare signs
PG_CFLAGS = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(if $(WERROR),-Werror)
SHLIB_LINK = $(shell $(PKG_CONFIG) --libs libcurl openssl)

EXTRA_CLEAN = $(EXTENSION)-$(EXTVERSION).zip

# pg_config may be there without what servers' modules are built with
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifeq ($(PGXS),)
ifdef building
$(error pg_config of PostgreSQL 15 or later is needed, with the server's headers; PG_CONFIG=... names it; $(packages))
endif
endif
include $(PGXS)
ifdef building
ifneq ($(filter 9.% 10 11 12 13 14,$(MAJORVERSION)),)
$(error PostgreSQL 15 or later is needed, not $(VERSION); PG_CONFIG=... names another; $(packages))
endif
endif

$(OBJS) $(OBJS:.o=.bc): $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h $(srcdir)/src/*/*/*.h)

$(DATA_built): $(SCRIPT_PARTS:%=$(srcdir)/sql/extension/%.sql) $(srcdir)/Makefile
	@mkdir -p $(@D)
	{ echo '/* $(@F): made from sql/extension/ */' && cat $(filter %.sql,$^); } > $@

.PHONY: dist
dist:
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
		--output=$(EXTENSION)-$(EXTVERSION).zip HEAD

# for databases that cannot load the extension; kept in the repository, for those who have no Postgres to build with
PORTABLE = sql/portable.sql
PORTABLE_PARTS = cost cost_views

.PHONY: portable
portable: $(PORTABLE_PARTS:%=sql/extension/%.sql)
	{ cat sql/extension/portable.txt && echo && cat $^ | sed -e 's/@extschema@\.//g' -e 's/^CREATE FUNCTION/CREATE OR REPLACE FUNCTION/' \
		-e 's/^CREATE PROCEDURE/CREATE OR REPLACE PROCEDURE/'; } > $(PORTABLE)
