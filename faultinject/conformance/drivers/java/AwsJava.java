import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import com.amazonaws.services.s3.model.CompleteMultipartUploadRequest;
import com.amazonaws.services.s3.model.InitiateMultipartUploadRequest;
import com.amazonaws.services.s3.model.PartETag;
import com.amazonaws.util.IOUtils;
import java.util.List;

/** AWS's SDK for Java, version 1, path style. */
public class AwsJava {
    private final AmazonS3 s3;
    private final String bucket;
    private final List<PartETag> parts;

    public AwsJava(String endpoint, String bucket, String etag) {
        s3 = AmazonS3ClientBuilder.standard()
            .withEndpointConfiguration(new EndpointConfiguration(endpoint, "us-east-1"))
            .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials("id", "key")))
            .withPathStyleAccessEnabled(true)
            .build();
        this.bucket = bucket;
        parts = List.of(new PartETag(1, etag));
    }

    public void get(String key) throws Exception {
        try (var content = s3.getObject(bucket, key).getObjectContent()) {
            IOUtils.drainInputStream(content);
        }
    }

    public void put(String key) {
        s3.putObject(bucket, key, "written by aws-java-sdk");
    }

    public void post(String key) {
        s3.initiateMultipartUpload(new InitiateMultipartUploadRequest(bucket, key));
    }

    public void complete(String key) {
        s3.completeMultipartUpload(new CompleteMultipartUploadRequest(bucket, key, key, parts));
    }
}
