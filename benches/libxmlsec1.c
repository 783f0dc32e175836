/* libxmlsec1 at the same work: libxmlsec1 CERTIFICATE DOCUMENT...
 * For each line on standard input every document is parsed and its first signature verified with the key of the
 * certificate (DER), which is loaded once; the answer is the CPU time of one document in microseconds. */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

static void die(const char *what) {
    fprintf(stderr, "libxmlsec1: %s\n", what);
    exit(1);
}

static void verify(const xmlSecBuffer *source, xmlSecKeyPtr key) {
    static const xmlChar *ids[] = {BAD_CAST "ID", NULL};
    xmlDocPtr document = xmlReadMemory((const char *)source->data, (int)source->size, NULL, NULL, XML_PARSE_NONET);
    if (document == NULL) die("a document cannot be parsed");
    xmlSecAddIDs(document, xmlDocGetRootElement(document), ids);
    xmlNodePtr signature = xmlSecFindNode(xmlDocGetRootElement(document), xmlSecNodeSignature, xmlSecDSigNs);
    if (signature == NULL) die("a document has no signature");
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    if (context == NULL) die("no context");
    context->signKey = xmlSecKeyDuplicate(key);
    if (xmlSecDSigCtxVerify(context, signature) < 0 || context->status != xmlSecDSigStatusSucceeded)
        die("a signature does not verify");
    xmlSecDSigCtxDestroy(context);
    xmlFreeDoc(document);
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    if (argc < 3) die("usage: libxmlsec1 CERTIFICATE DOCUMENT...");
    xmlInitParser();
    if (xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0) die("cannot begin");
    xmlSecKeyPtr key = xmlSecCryptoAppKeyLoad(argv[1], xmlSecKeyDataFormatCertDer, NULL, NULL, NULL);
    if (key == NULL) die("the certificate cannot be read");
    int count = argc - 2;
    xmlSecBuffer *sources = calloc((size_t)count, sizeof *sources);
    if (sources == NULL) die("no memory");
    for (int n = 0; n < count; n++) {
        if (xmlSecBufferInitialize(&sources[n], 0) < 0 || xmlSecBufferReadFile(&sources[n], argv[n + 2]) < 0)
            die("a document cannot be read");
    }
    while (getchar() != EOF) {
        double begun = cpu_us();
        for (int n = 0; n < count; n++) verify(&sources[n], key);
        printf("%.3f\n", (cpu_us() - begun) / count);
        fflush(stdout);
    }
    return 0;
}
