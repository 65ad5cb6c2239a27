using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Generation;

namespace Gradus.Tests.Generation;

/// <summary>Steps by the names and arguments that transformers gives them.</summary>
internal static class ReferenceSteps
{
    /// <summary>The steps of a logits processor.</summary>
    public static IEnumerable<LogitsStep> Of(string processor, JsonObject p, int row) => processor switch
    {
        "TemperatureLogitsWarper" => [new Temperature((float)p["temperature"]!)],
        "TopKLogitsWarper" => [new TopK((int)p["top_k"]!, (int)p["min_tokens_to_keep"]!)],
        "TopPLogitsWarper" => [new TopP((float)p["top_p"]!, (int)p["min_tokens_to_keep"]!)],
        "MinPLogitsWarper" => [new MinP((float)p["min_p"]!, (int)p["min_tokens_to_keep"]!)],
        "TypicalLogitsWarper" => [new TypicalP((float)p["typical_p"]!, (int)p["min_tokens_to_keep"]!)],
        "EpsilonLogitsWarper" => [new EpsilonCutoff((float)p["epsilon_cutoff"]!, (int)p["min_tokens_to_keep"]!)],
        "EtaLogitsWarper" => [new EtaCutoff((float)p["eta_cutoff"]!, (int)p["min_tokens_to_keep"]!)],
        "RepetitionPenaltyLogitsProcessor" => [new RepetitionPenalty((float)p["repetition_penalty"]!, (int?)p["prompt_ignore_length"] ?? 0)],
        "EncoderRepetitionPenaltyLogitsProcessor" => [new EncoderRepetitionPenalty((float)p["encoder_repetition_penalty"]!, Ids(p["encoder_input_ids"]![row]!))],
        "NoRepeatNGramLogitsProcessor" => [new NoRepeatNgram((int)p["no_repeat_ngram_size"]!)],
        "EncoderNoRepeatNGramLogitsProcessor" => [new EncoderNoRepeatNgram((int)p["encoder_no_repeat_ngram_size"]!, Ids(p["encoder_input_ids"]![row]!))],
        "NoBadWordsLogitsProcessor" => [new BadWords([.. p["bad_words_ids"]!.AsArray().Select(w => Ids(w!))], Ids(p["eos_token_id"]!))],
        "SequenceBiasLogitsProcessor" => [new SequenceBias([.. p["sequence_bias"]!.AsArray().Select(w => (Ids(w![0]!), (float)w[1]!))])],
        "MinLengthLogitsProcessor" => [new MinLength((int)p["min_length"]!, Ids(p["eos_token_id"]!))],
        "MinNewTokensLengthLogitsProcessor" => [new MinNewTokens((int)p["min_new_tokens"]!, Ids(p["eos_token_id"]!))],
        "ForcedEOSTokenLogitsProcessor" => [new ForcedToken((int)p["max_length"]! - 1, Ids(p["eos_token_id"]!))],
        "ForcedBOSTokenLogitsProcessor" => [new ForcedToken(1, Ids(p["bos_token_id"]!))],
        "SuppressTokensLogitsProcessor" => [new SuppressTokens(Ids(p["suppress_tokens"]!))],
        "SuppressTokensAtBeginLogitsProcessor" => [new SuppressTokens(Ids(p["begin_suppress_tokens"]!), (int)p["begin_index"]!)],
        "ExponentialDecayLengthPenalty" => [new ExponentialLengthDecay(
            (int)p["exponential_decay_length_penalty"]![0]!, (float)p["exponential_decay_length_penalty"]![1]!, Ids(p["eos_token_id"]!))],
        "InfNanRemoveLogitsProcessor" => [new ReplaceInvalid()],
        "LogitNormalization" => [new Normalize()],
        "PrefixConstrainedLogitsProcessor" => [FirstNextAndLast(row)],
        "openai_definition" => [new FrequencyPenalty((float)p["frequency_penalty"]!), new PresencePenalty((float)p["presence_penalty"]!)],
        "list" => p["order"]!.AsArray().Select(o => Named(((string)o!).Split(' '))),
        _ => throw new NotSupportedException($"unknown processor {processor}"),
    };

    /// <summary>The steps that <c>generate</c> makes of its arguments, in its order.</summary>
    /// <param name="kwargs">The arguments.</param>
    /// <param name="promptLength">Tokens of the prompt, padding included.</param>
    /// <param name="stopTokens">The end tokens.</param>
    public static List<LogitsStep> OfGenerate(JsonObject kwargs, int promptLength, int[] stopTokens)
    {
        string[] known = ["max_new_tokens", "num_beams", "num_return_sequences", "length_penalty", "early_stopping", "repetition_penalty",
            "no_repeat_ngram_size", "bad_words_ids", "min_new_tokens", "forced_eos_token_id"];
        Assert.Empty(kwargs.Select(k => k.Key).Except(known));
        List<LogitsStep> steps = [];
        if (kwargs["repetition_penalty"] is { } penalty)
            steps.Add(new RepetitionPenalty((float)penalty));
        if (kwargs["no_repeat_ngram_size"] is { } size)
            steps.Add(new NoRepeatNgram((int)size));
        if (kwargs["bad_words_ids"] is { } words)
            steps.Add(new BadWords([.. words.AsArray().Select(w => Ids(w!))], stopTokens));
        if (kwargs["min_new_tokens"] is { } least)
            steps.Add(new MinNewTokens((int)least, stopTokens));
        if (kwargs["forced_eos_token_id"] is { } forced)
            steps.Add(new ForcedToken(promptLength + (int)kwargs["max_new_tokens"]! - 1, Ids(forced)));
        return steps;
    }

    public static int[] Ids(JsonNode ids) => ids.GetValueKind() == JsonValueKind.Number ? [(int)ids] : [.. ids.AsArray().Select(i => (int)i!)];

    private static AllowedTokens FirstNextAndLast(int row)
    {
        int[] allowed = [row, row + 5, 0];
        return new AllowedTokens((in GenerationState state) =>
        {
            allowed[2] = state.Tokens[^1];
            return allowed;
        });
    }

    private static LogitsStep Named(string[] words)
    {
        float value = float.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture);
        return words[0] switch
        {
            "temperature" => new Temperature(value),
            "top_k" => new TopK((int)value),
            "top_p" => new TopP(value),
            "min_p" => new MinP(value),
            "repetition_penalty" => new RepetitionPenalty(value),
            "no_repeat_ngram" => new NoRepeatNgram((int)value),
            _ => throw new NotSupportedException($"unknown step {words[0]}"),
        };
    }
}
