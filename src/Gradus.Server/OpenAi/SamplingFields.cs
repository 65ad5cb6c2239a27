using System.Globalization;
using System.Text.Json;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Server.Http;
using Gradus.Server.Inference;

namespace Gradus.Server.OpenAi;

/// <summary>The fields of a request that say how tokens are chosen: OpenAI's, and those that vLLM and llama.cpp added.</summary>
internal static class SamplingFields
{
    private const double MostTemperature = 100;

    /// <summary>Puts the fields into a request.</summary>
    public static InferenceRequest Apply(JsonField body, InferenceRequest request)
    {
        double temperature = body.Number("temperature", 0, MostTemperature) ?? 1;
        long topK = body.Whole("top_k", -1, int.MaxValue) ?? 0;
        return request with
        {
            Greedy = temperature == 0,
            Sampling = new SamplingOptions(
                Temperature: temperature == 0 ? 1 : (float)temperature,
                TopK: (int)Math.Max(0, topK),
                TopP: (float)(body.Number("top_p", 0, 1) ?? 1),
                MinP: (float)(body.Number("min_p", 0, 1) ?? 0),
                TypicalP: (float)(body.Number("typical_p", 1e-6, 1) ?? 1),
                RepetitionPenalty: (float)(body.Number("repetition_penalty", 1e-6, 1e6) ?? body.Number("repeat_penalty", 1e-6, 1e6) ?? 1),
                FrequencyPenalty: (float)(body.Number("frequency_penalty", -2, 2) ?? 0),
                PresencePenalty: (float)(body.Number("presence_penalty", -2, 2) ?? 0),
                MinNewTokens: (int)(body.Whole("min_tokens", 0, int.MaxValue) ?? 0)),
            Seed = body.Whole("seed", -9007199254740992, long.MaxValue) is { } seed ? unchecked((ulong)seed) : null,
            Stops = Stops(body, "stop"),
            StopTokens = body.Find("stop_token_ids") is { } ids ? [.. ids.Elements().Select(e => (int)e.AsWhole(0, int.MaxValue))] : [],
            IgnoreEnd = body.Flag("ignore_eos") ?? false,
            Bias = Bias(body),
            Count = (int)(body.Whole("n", 1, 128) ?? 1),
        };
    }

    /// <summary>Texts that end an answer: a string, or a list without empty ones.</summary>
    public static IReadOnlyList<string> Stops(JsonField body, string name)
    {
        IReadOnlyList<string> stops = body.Texts(name);
        return stops.Count > 64 || stops.Contains("")
            ? throw ApiException.Invalid(name, $"Invalid value for '{name}': give up to 64 texts, none of them empty.", "invalid_value")
            : stops;
    }

    /// <summary>The structure that the extensions of vLLM and llama.cpp ask for; null for none.</summary>
    public static AnswerStructure? Structure(JsonField body)
    {
        if (body.Text("grammar") is { } gbnf)
            return new AnswerStructure($"gbnf:{gbnf}", "grammar", () => Grammar.FromGbnf(gbnf));
        if (body.Find("structured_outputs") is not { } outputs)
            return null;
        outputs.AsObject();
        const string Name = "structured_outputs";
        if (outputs.Find("json") is { } schema)
            return Schema(schema, $"{Name}.json");
        if (outputs.Text("regex") is { } pattern)
            return new AnswerStructure($"regex:{pattern}", $"{Name}.regex", () => Grammar.FromRegex(pattern));
        if (outputs.Find("choice") is { } choice)
            return new AnswerStructure($"choice:{choice.Value.GetRawText()}", $"{Name}.choice", () => Grammar.FromChoices(choice.Elements().Select(e => e.AsText()).ToArray()));
        return outputs.Text("grammar") is { } grammar ? new AnswerStructure($"gbnf:{grammar}", $"{Name}.grammar", () => Grammar.FromGbnf(grammar)) : null;
    }

    /// <summary>A JSON Schema as the structure of an answer.</summary>
    public static AnswerStructure Schema(JsonField schema, string parameter) =>
        new($"schema:{schema.Value.GetRawText()}", parameter, () => Grammar.FromJsonSchema(schema.Value)) { Schema = schema.Value };

    /// <summary>Any JSON object as the structure of an answer.</summary>
    public static AnswerStructure AnyObject(string parameter) => new("object", parameter, Grammar.JsonObject) { Schema = JsonElement.Parse("{\"type\":\"object\"}") };

    private static Dictionary<int, float> Bias(JsonField body)
    {
        Dictionary<int, float> bias = [];
        foreach ((string name, JsonField field) in body.Find("logit_bias")?.Fields() ?? [])
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
                throw ApiException.Invalid("logit_bias", $"Invalid key in 'logit_bias': '{name}' is not a token id.", "invalid_value");
            bias[id] = (float)field.AsNumber(-100, 100);
        }
        return bias;
    }
}
