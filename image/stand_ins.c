/*
 * stand_ins - what takes the place of libcrypto's compression by zlib and zstd, of which Debian 13's has both: 300 KB of the compressed
 * image, for certificates that nobody sends compressed. As in a libcrypto that was built without: there is no such method.
 */
#include <stddef.h>

const void *BIO_f_zlib(void);
void *COMP_zlib(void);
void *COMP_zlib_oneshot(void);
void ossl_comp_zlib_cleanup(void);
const void *BIO_f_zstd(void);
void *COMP_zstd(void);
void *COMP_zstd_oneshot(void);
void ossl_comp_zstd_cleanup(void);

const void *BIO_f_zlib(void)
{
	return NULL;
}

void *COMP_zlib(void)
{
	return NULL;
}

void *COMP_zlib_oneshot(void)
{
	return NULL;
}

void ossl_comp_zlib_cleanup(void)
{
}

const void *BIO_f_zstd(void)
{
	return NULL;
}

void *COMP_zstd(void)
{
	return NULL;
}

void *COMP_zstd_oneshot(void)
{
	return NULL;
}

void ossl_comp_zstd_cleanup(void)
{
}
