import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.CompletedPart;

/** AWS's SDK for Java, version 2, path style. */
public class AwsJava2 {
    private final S3Client s3;
    private final String bucket;
    private final CompletedPart part;

    public AwsJava2(String endpoint, String bucket, String etag) {
        s3 = S3Client.builder()
            .endpointOverride(URI.create(endpoint))
            .region(Region.US_EAST_1)
            .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("id", "key")))
            .forcePathStyle(true)
            .build();
        this.bucket = bucket;
        part = CompletedPart.builder().partNumber(1).eTag(etag).build();
    }

    public void get(String key) {
        s3.getObjectAsBytes(asked -> asked.bucket(bucket).key(key));
    }

    public void put(String key) {
        s3.putObject(asked -> asked.bucket(bucket).key(key), RequestBody.fromString("written by software.amazon.awssdk"));
    }

    public void post(String key) {
        s3.createMultipartUpload(asked -> asked.bucket(bucket).key(key));
    }

    public void complete(String key) {
        s3.completeMultipartUpload(
            asked -> asked.bucket(bucket).key(key).uploadId(key).multipartUpload(said -> said.parts(part)));
    }
}
