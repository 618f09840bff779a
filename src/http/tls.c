/*-------------------------------------------------------------------------
 *
 * tls.c
 *		Which certificates a connection trusts.
 *
 * It trusts those in a server's ca_bundle, or the system's; for a proxy always the
 * system's.  Reading the system's takes 20 ms or more, so they are kept in memory:
 * libcurl does that from 7.87 on, and this file does it for older versions.
 *
 * Not accounted for: an older libcurl built with something other than OpenSSL reads the
 * certificates for each connection, and so does an older one for a proxy that speaks TLS.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "http/internal.h"

/* Where the system's certificates are; both NULL: libcurl's default. */
static struct
{
	const char *bundle;			/* in one file; or NULL */
	const char *path;			/* in a directory; or NULL */
}			system_certificates;

/*
 * smf_tls_find_certificates
 *		Find the system's certificates, where libcurl was told at build time that they
 *		are.
 *
 * libcurl keeps them in memory only if they come from a file alone, and gives up when it
 * cannot read that file even if there is also a directory.  So only one of the two is
 * used.
 */
void
smf_tls_find_certificates(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	system_certificates.bundle = system_certificates.path = NULL;
	if (info->cainfo != NULL && access(info->cainfo, R_OK) == 0)
		system_certificates.bundle = info->cainfo;
	else if (info->capath != NULL && access(info->capath, R_OK | X_OK) == 0)
		system_certificates.path = info->capath;
}

#if !KEEPS_CERTIFICATES
/* The certificates that were used last. */
static struct
{
	X509_STORE *store;			/* NULL: none yet */
	char	   *path;			/* of the file they were read from, malloc'ed */
	struct stat status;			/* of that file when it was read */
}			kept;

/* Is this the file that was read last, and is it unchanged? */
static bool
same_file(const char *path, const struct stat *status)
{
	return kept.store != NULL && strcmp(kept.path, path) == 0 &&
		kept.status.st_dev == status->st_dev && kept.status.st_ino == status->st_ino &&
		kept.status.st_size == status->st_size &&
		kept.status.st_mtim.tv_sec == status->st_mtim.tv_sec &&
		kept.status.st_mtim.tv_nsec == status->st_mtim.tv_nsec;
}

/* The certificates in a file, read again when it has changed; NULL when it cannot be read. */
static X509_STORE *
certificates_of(const char *path)
{
	struct stat status;
	X509_STORE *store;

	if (stat(path, &status) != 0)
		return NULL;
	if (same_file(path, &status))
		return kept.store;

	/* Connections that use the old ones have their own references. */
	X509_STORE_free(kept.store);
	free(kept.path);
	kept.store = NULL;
	kept.path = strdup(path);
	store = X509_STORE_new();
	if (kept.path == NULL || store == NULL || X509_STORE_load_locations(store, path, NULL) != 1)
	{
		X509_STORE_free(store);
		return NULL;
	}

	/* As libcurl does: trust what the file contains, whether or not it is a root. */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	kept.store = store;
	kept.status = status;
	return store;
}

/* libcurl's callback: give a new connection the certificates that are kept. */
static CURLcode
give_certificates(CURL *easy, void *context, void *arg)
{
	HttpRequest *request = arg;
	X509_STORE *store = certificates_of(request->ca_bundle);

	if (store == NULL)
	{
		request->failure_text = "the file of certificates to trust cannot be read";
		return CURLE_SSL_CACERT_BADFILE;
	}
	SSL_CTX_set1_cert_store(context, store);
	return CURLE_OK;
}

/*
 * Can a connection be given the kept certificates?  The callback would also be called for
 * a proxy's TLS; and libcurl may have been built with something other than OpenSSL, which
 * has no such callback.
 */
static bool
can_give_certificates(CURL *easy, const HttpTarget *target)
{
	return (target->network.proxy_url == NULL || pg_strncasecmp(target->network.proxy_url, "https:", 6) != 0) &&
		strncmp(curl_version_info(CURLVERSION_NOW)->ssl_version, "OpenSSL/", 8) == 0 &&
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, give_certificates) == CURLE_OK;
}
#endif

/*
 * smf_tls_trust
 *		Set which certificates a request's connection trusts: the target's, or the
 *		system's.  False without memory.
 */
bool
smf_tls_trust(HttpRequest *request, const HttpTarget *target)
{
	CURL	   *easy = request->easy;
	const char *file = system_certificates.bundle;
	const char *path = system_certificates.path;

	/*
	 * A proxy's certificate is checked against the system's, whatever the target's
	 * ca_bundle.
	 */
	if ((file != NULL || path != NULL) && target->network.proxy_url != NULL &&
		(curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file) != CURLE_OK ||
		 curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, path) != CURLE_OK))
		return false;

	if (target->network.ca_bundle != NULL)
	{
		file = target->network.ca_bundle;
		path = NULL;
	}

#if !KEEPS_CERTIFICATES

	/*
	 * This libcurl cannot keep certificates, so we do.  It is given their file as the
	 * directory to look for more: it reads nothing there, but uses the path to tell
	 * connections that trust other certificates apart.
	 */
	if (file != NULL && can_give_certificates(easy, target))
	{
		request->ca_bundle = strdup(file);
		if (request->ca_bundle == NULL ||
			curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, request) != CURLE_OK)
			return false;
		path = file;
		file = NULL;
	}
#endif

	if (file == NULL && path == NULL)
		return true;
	return curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_CAPATH, path) == CURLE_OK;
}
