using System.Diagnostics;
using System.Diagnostics.Metrics;
using Gradus.Server.Inference;

namespace Gradus.Server.Observation;

/// <summary>
/// Spans and measurements of requests under the names of OpenTelemetry's semantic conventions for generative AI, version 1.37; prompts and answers
/// are no part of them. Nothing is recorded while nobody listens.
/// </summary>
internal static class GenAiTelemetry
{
    /// <summary>The name of the source of spans and of the meter.</summary>
    public const string Name = "Gradus.Server";

    private const string Provider = "gradus";
    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);
    private static readonly Histogram<long> TokenUsage = Meter.CreateHistogram<long>("gen_ai.client.token.usage", "{token}", "Tokens of requests and answers.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("gen_ai.server.request.duration", "s", "How long requests take.");
    private static readonly Histogram<double> FirstToken = Meter.CreateHistogram<double>("gen_ai.server.time_to_first_token", "s", "How long the first token takes.");
    private static readonly Histogram<double> EachToken = Meter.CreateHistogram<double>("gen_ai.server.time_per_output_token", "s", "How long a token after the first takes.");

    /// <summary>Begins the span of a request; null while nobody listens.</summary>
    public static Activity? Begin(string model, InferenceRequest request)
    {
        string operation = Operation(request);
        Activity? span = Source.StartActivity($"{operation} {model}", ActivityKind.Server);
        if (span is null)
            return null;
        span.SetTag("gen_ai.operation.name", operation).SetTag("gen_ai.provider.name", Provider).SetTag("gen_ai.request.model", model);
        span.SetTag("gen_ai.request.temperature", request.Greedy ? 0 : request.Sampling.Temperature).SetTag("gen_ai.request.top_p", request.Sampling.TopP);
        if (request.Sampling.TopK > 0)
            span.SetTag("gen_ai.request.top_k", request.Sampling.TopK);
        if (request.MaxTokens is { } most)
            span.SetTag("gen_ai.request.max_tokens", most);
        if (request.Seed is { } seed)
            span.SetTag("gen_ai.request.seed", (long)seed);
        if (request.Count > 1)
            span.SetTag("gen_ai.request.choice.count", request.Count);
        return span;
    }

    /// <summary>Ends the span of a request that was answered, and measures it.</summary>
    public static void End(Activity? span, InferenceSession session, IReadOnlyCollection<string> reasons)
    {
        span?.SetTag("gen_ai.response.model", session.Model).SetTag("gen_ai.response.finish_reasons", reasons.ToArray())
            .SetTag("gen_ai.usage.input_tokens", session.Prompt.Count).SetTag("gen_ai.usage.output_tokens", session.Generated);
        TagList tags = new() { { "gen_ai.operation.name", Operation(session.Request) }, { "gen_ai.provider.name", Provider }, { "gen_ai.request.model", session.Model } };
        Duration.Record(session.Elapsed.TotalSeconds, tags);
        TokenUsage.Record(session.Prompt.Count, [.. tags, new("gen_ai.token.type", "input")]);
        TokenUsage.Record(session.Generated, [.. tags, new("gen_ai.token.type", "output")]);
        if (session.FirstPiece is not { } first)
            return;
        FirstToken.Record(first.TotalSeconds, tags);
        if (session.Generated > session.Request.Count)
            EachToken.Record((session.Elapsed - first).TotalSeconds * session.Request.Count / (session.Generated - session.Request.Count), tags);
    }

    private static string Operation(InferenceRequest request) => request.Prompt is ConversationPrompt ? "chat" : "text_completion";
}
