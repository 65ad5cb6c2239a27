using System.Diagnostics;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;

namespace Gradus.Cli.Verbs;

/// <summary>Prints texts: as they come where there is one, else each with a head; or as JSON lines.</summary>
internal sealed class TextOutput(CommandContext context, ModelBundle bundle, bool json, bool echo, TextPlan plan)
{
    private readonly List<GeneratedText> _written = [];
    private bool _streams;
    private int _index;

    /// <summary>Prints what comes before a text.</summary>
    /// <param name="item">The prompt.</param>
    /// <param name="among">Whether it is one of several prompts.</param>
    /// <returns>Whether the text is printed as it comes.</returns>
    public bool Begin(PromptItem item, bool among)
    {
        _streams = !json && !among && plan is { Count: 1, Search: { IsExact: false, BestOf: null, Vote: null } };
        if (_streams && echo)
            TerminalText.Write(context, item.Text ?? "");
        return _streams;
    }

    /// <summary>Prints a part of the text.</summary>
    public void Show(string part)
    {
        TerminalText.Write(context, part);
        context.Out.Flush();
    }

    /// <summary>Prints the texts of a prompt, or what is missing of them.</summary>
    /// <param name="item">The prompt.</param>
    /// <param name="leftOut">The tokens that were left out of it; null where none may be.</param>
    /// <param name="texts">The texts.</param>
    public void Write(PromptItem item, int? leftOut, IReadOnlyList<GeneratedText> texts)
    {
        if (leftOut > 0 && !json)
            context.Note($"{item.Source}: its oldest {leftOut} tokens were left out; the model's context is {bundle.ContextLength}.");
        _written.AddRange(texts);
        if (texts.Count == 0)
            context.Note($"{item.Source}: no text has an answer that --vote finds.");
        for (int i = 0; i < texts.Count; i++)
        {
            GeneratedText text = texts[i];
            if (json)
            {
                context.WriteJsonLine(Line(item, leftOut, text));
                continue;
            }
            if (!_streams)
            {
                if (plan.Count > 1 && plan.Search.Vote is null)
                    context.Out.WriteLine($"--- {i + 1} of {texts.Count}{(text.Request.Seed is { } seed ? $", seed {seed}" : "")}{(text.Score is { } score ? $", score {score:0.####}" : "")}");
                TerminalText.Write(context, (echo ? item.Text ?? "" : "") + text.Text);
            }
            context.Out.WriteLine();
        }
    }

    /// <summary>Tells the person watching the rates.</summary>
    public void Summarize(TimeSpan time)
    {
        if (!context.ErrorIsTerminal || json || _written.Count == 0)
            return;
        int tokens = _written.Sum(t => t.Ids.Length);
        string rates = $"{tokens} tokens, {tokens / Math.Max(time.TotalSeconds, 1e-9):0.#} per second";
        if (_written is [{ Timing: { } timing }])
            rates = $"{timing.PromptTokens} tokens read, {timing.PrefillRate:0.#} per second; first token after {timing.FirstTokenSeconds * 1000:0} ms; {timing.Tokens} tokens written, {timing.DecodeRate:0.#} per second";
        context.Note($"{rates}; {string.Join(", ", _written.Select(EndReasons.Name).Distinct())}; peak memory {PeakMemory() / (1024.0 * 1024):0} MiB{(plan.Sampling.Seed is { } seed ? $"; --seed {seed}" : "")}");
    }

    private static long PeakMemory()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private JsonObject Line(PromptItem item, int? leftOut, GeneratedText text)
    {
        JsonObject line = [];
        foreach ((string key, JsonNode? value) in item.Record ?? [])
            line[key] = value?.DeepClone();
        line["index"] = _index++;
        if (item.Text is { } prompt)
            line["prompt"] = prompt;
        line["text"] = text.Text;
        line["ids"] = new JsonArray([.. text.Ids.Select(id => (JsonNode)id)]);
        line["prompt_tokens"] = text.Request.TokensRead;
        if (leftOut is not null)
            line["left_out_tokens"] = leftOut;
        line["cached_tokens"] = text.CachedTokens;
        line["tokens"] = text.Ids.Length;
        line["finish"] = EndReasons.Name(text);
        line["seed"] = text.Request.Seed;
        if (text.Score is { } score)
            line["score"] = score;
        if (plan.Alternatives is not null)
            line["logprobs"] = new JsonArray([.. text.LogProbabilities.Select((p, i) => Token(text.Ids[i], p, text.Alternatives[i]))]);
        if (text.Timing is { } timing)
        {
            line["timing"] = new JsonObject
            {
                ["first_token_seconds"] = timing.FirstTokenSeconds,
                ["prefill_tokens_per_second"] = timing.PrefillRate,
                ["decode_tokens_per_second"] = timing.DecodeRate,
            };
        }
        line["peak_memory_bytes"] = PeakMemory();
        return line;
    }

    private JsonObject Token(int id, float logProbability, TokenScore[] alternatives)
    {
        JsonObject token = new() { ["id"] = id, ["token"] = bundle.Tokenizer.IdToToken(id), ["logprob"] = logProbability };
        if (alternatives.Length > 0)
            token["top"] = new JsonArray([.. alternatives.Select(a => Token(a.Id, a.LogProbability, []))]);
        return token;
    }
}
