-- Requests for wrk: OPERATION is put, get or update; 10,000 keys, items of about 100 bytes.
local operation = os.getenv("OPERATION")
-- dynalite wants requests to look signed, but checks no signature
local headers = {
  ["Content-Type"] = "application/x-amz-json-1.0",
  ["X-Amz-Date"] = "20251020T065000Z",
  ["Authorization"] = "AWS4-HMAC-SHA256 Credential=any/20251020/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=00",
}
local bodies = {
  put = { "PutItem", '{"TableName":"leases","Item":{"id":{"S":"%s"},"holder":{"S":"dwfm-1"},"epoch":{"N":"17"},"pad":{"S":"'
    .. string.rep("x", 50) .. '"}}}' },
  get = { "GetItem", '{"TableName":"leases","Key":{"id":{"S":"%s"}},"ConsistentRead":true}' },
  update = { "UpdateItem", '{"TableName":"leases","Key":{"id":{"S":"%s"}},"UpdateExpression":"SET holder = :me, expires = :e ADD epoch :one",'
    .. '"ConditionExpression":"attribute_not_exists(holder) OR holder = :me OR expires < :now",'
    .. '"ExpressionAttributeValues":{":me":{"S":"dwfm-1"},":e":{"N":"1760943060"},":now":{"N":"1760943000"},":one":{"N":"1"}}}' },
}
local name, body = bodies[operation][1], bodies[operation][2]
headers["X-Amz-Target"] = "DynamoDB_20120810." .. name

-- made beforehand: the generator shares the machine with what it measures
local requests = {}
init = function()
  for i = 1, 10000 do
    requests[i] = wrk.format("POST", "/", headers, string.format(body, "lease-" .. i))
  end
end

request = function()
  return requests[math.random(#requests)]
end

done = function(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("result %d %d %d %d\n", summary.requests / summary.duration * 1e6, latency:percentile(50),
    latency:percentile(99), bad))
end
