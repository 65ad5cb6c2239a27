using System.Collections.Concurrent;
using Gradus.Server.Catalog;
using Gradus.Server.Inference;

namespace Gradus.Server.Observation;

/// <summary>What the server measures of its requests, under the names that vLLM gives them: dashboards for these exist.</summary>
internal sealed class ServerMetrics
{
    private static readonly double[] TokenCounts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];
    private readonly ConcurrentDictionary<string, OfModel> _models = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, long> _refused = [];

    /// <summary>The measurements of a model's name.</summary>
    public OfModel Of(string model) => _models.GetOrAdd(model, _ => new OfModel());

    /// <summary>Counts a request that was refused.</summary>
    public void Refused(int status) => _refused.AddOrUpdate(status, 1, (_, n) => n + 1);

    /// <summary>All measurements as text.</summary>
    public string Write(ModelCatalog catalog)
    {
        MetricText text = new();
        CatalogName[] loaded = [.. catalog.Names.Where(n => n is { Adapter: null, Model.Inference: not null })];
        foreach ((string name, string type, string help, Func<ModelLoad, double> value) in Loads)
        {
            foreach (CatalogName model in loaded)
            {
                text.Begin(name, type, help);
                text.Line(name, value(model.Model!.Inference!.Load), ("model_name", model.Name));
            }
        }
        foreach ((string name, OfModel measured) in _models.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            foreach ((AnswerEnd reason, long count) in measured.Ended)
            {
                text.Begin("vllm:request_success_total", "counter", "Answers that were completed, by the reason they ended.");
                text.Line("vllm:request_success_total", count, ("finished_reason", reason == AnswerEnd.Length ? "length" : "stop"), ("kind", reason.ToString()), ("model_name", name));
            }
        }
        foreach ((string name, string help, Func<OfModel, Histogram> histogram) in Histograms)
        {
            foreach ((string model, OfModel measured) in _models.OrderBy(m => m.Key, StringComparer.Ordinal))
                histogram(measured).Write(text, name, help, ("model_name", model));
        }
        foreach ((int status, long count) in _refused.OrderBy(r => r.Key))
        {
            text.Begin("gradus:request_refused_total", "counter", "Requests that were refused, by HTTP status.");
            text.Line("gradus:request_refused_total", count, ("status", $"{status}"));
        }
        return text.ToString();
    }

    private static (string Name, string Type, string Help, Func<ModelLoad, double> Value)[] Loads { get; } =
    [
        ("vllm:num_requests_running", "gauge", "Answers that are being written.", l => l.Running),
        ("vllm:num_requests_waiting", "gauge", "Answers that wait.", l => l.Waiting),
        ("vllm:kv_cache_usage_perc", "gauge", "The part of the memory for keys and values in use, 1 for all.", l => l.CacheUse),
        ("vllm:prefix_cache_queries_total", "counter", "Tokens of prompts.", l => l.PromptTokens + l.CachedTokens),
        ("vllm:prefix_cache_hits_total", "counter", "Tokens of prompts that did not have to be read.", l => l.CachedTokens),
        ("vllm:prompt_tokens_total", "counter", "Tokens of prompts that were read.", l => l.PromptTokens),
        ("vllm:generation_tokens_total", "counter", "Tokens chosen.", l => l.GeneratedTokens),
        ("vllm:num_preemptions_total", "counter", "Answers that had to make room and be read again.", l => l.Preemptions),
    ];

    private static (string Name, string Help, Func<OfModel, Histogram> Histogram)[] Histograms { get; } =
    [
        ("vllm:time_to_first_token_seconds", "Seconds from the request to the first token.", m => m.TimeToFirstToken),
        ("vllm:inter_token_latency_seconds", "Seconds between two pieces of an answer.", m => m.InterTokenLatency),
        ("vllm:e2e_request_latency_seconds", "Seconds from the request to the end of its answers.", m => m.RequestLatency),
        ("vllm:request_prompt_tokens", "Tokens of a request's prompt.", m => m.PromptTokens),
        ("vllm:request_generation_tokens", "Tokens of an answer.", m => m.GenerationTokens),
    ];

    /// <summary>The measurements of one model.</summary>
    internal sealed class OfModel
    {
        private readonly ConcurrentDictionary<AnswerEnd, long> _ended = [];

        public Histogram TimeToFirstToken { get; } = new(Histogram.Seconds);

        public Histogram InterTokenLatency { get; } = new(Histogram.Seconds);

        public Histogram RequestLatency { get; } = new(Histogram.Seconds);

        public Histogram PromptTokens { get; } = new(TokenCounts);

        public Histogram GenerationTokens { get; } = new(TokenCounts);

        public IEnumerable<(AnswerEnd Reason, long Count)> Ended => _ended.OrderBy(e => e.Key).Select(e => (e.Key, e.Value));

        public void End(AnswerSummary summary)
        {
            _ended.AddOrUpdate(summary.Reason, 1, (_, n) => n + 1);
            GenerationTokens.Observe(summary.Tokens);
        }
    }
}
