using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus generate</c>: text that goes on from a prompt.</summary>
internal static class GenerateVerb
{
    private static readonly Argument<string> Source = new("MODEL") { Description = "A model's folder, a run's or an adapter's." };

    private static readonly Option<string?> Prompt = new("--prompt", "-p")
    {
        Description = "What the text begins with, or what a model such as T5 answers; without it what is piped in (less its last line end), or nothing.",
        HelpName = "TEXT",
    };

    private static readonly Option<bool> Echo = new("--echo") { Description = "Print the prompt too." };

    private static readonly Option<int> Count = Numeric.Option("--count", "Texts to write, all at once; with a seed each has the next one.", 1, 4096, 1);

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per text: text, ids, why it ended, seed." };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("generate", "Write text with a model, token by token.") { Source, Prompt };
        SamplingArguments sampling = new(verb, maxTokens: 200);
        foreach (Option option in new Option[] { Echo, Count, Base, Json })
            verb.Options.Add(option);
        verb.Examples =
        [
            ("generate stories-hf --prompt \"Once upon a time\"", "continues a text"),
            ("generate runs/quickstart/3-pretrain --greedy --max-tokens 50 < prompt.txt", "continues a file with the likeliest tokens"),
            ("generate my-model -p \"Name:\" --count 3 --seed 1 --json", "writes three texts as JSON lines"),
        ];
        verb.SetAction(parse => Run(context, parse, sampling.Read(parse)));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse, TextSampling sampling)
    {
        string prompt = parse.GetValue(Prompt) ?? (context.InputIsTerminal ? "" : WithoutLastLineEnd(TextInput.ReadAll(context, TextInput.StandardInput)));
        using ModelBundle bundle = ModelFolder.Open(parse.GetRequiredValue(Source), CpuDevice.Default, ModelBundleOptions.ToRun with { WritesText = true }, parse.GetValue(Base), context.Cancellation);
        GenerationRequest request = bundle.Continue(prompt);
        using Generator generator = new(bundle.Generative);
        Continuation[] texts = [.. Enumerable.Range(0, parse.GetValue(Count)).Select(i =>
            new Continuation(generator.Add(sampling.Apply(request, i)), new StreamedText(bundle.Tokenizer, request.TextBefore, sampling.StopTexts)))];
        bool json = parse.GetValue(Json);
        bool stream = !json && texts.Length == 1;
        if (stream && parse.GetValue(Echo))
            TerminalText.Write(context, prompt);
        long start = Stopwatch.GetTimestamp();
        while (generator.Active > 0)
        {
            foreach (NewToken token in generator.Step(context.Cancellation))
                Take(context, texts.First(t => t.Sequence == token.Sequence), token.Id, stream);
        }
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        for (int i = 0; i < texts.Length; i++)
            Finish(context, texts[i], i, texts.Length, prompt, json, stream, parse.GetValue(Echo));
        int tokens = texts.Sum(t => t.Sequence.Generated.Length);
        if (context.ErrorIsTerminal && !json)
            context.Note($"{tokens} tokens, {tokens / Math.Max(seconds, 1e-9):0} per second; {string.Join(", ", texts.Select(t => t.Reason).Distinct())}{(sampling.Seed is { } seed ? $"; --seed {seed}" : "")}");
        return ExitCode.Done;
    }

    private static void Take(CommandContext context, Continuation text, int id, bool stream)
    {
        string added = text.Streamed.Append(id);
        if (text.Streamed.Stopped)
            text.Sequence.Cancel();
        if (!stream || added.Length == 0)
            return;
        TerminalText.Write(context, added);
        context.Out.Flush();
    }

    private static void Finish(CommandContext context, Continuation text, int index, int count, string prompt, bool json, bool stream, bool echo)
    {
        string rest = text.Streamed.Finish();
        if (json)
        {
            context.WriteJsonLine(new JsonObject
            {
                ["index"] = index,
                ["prompt"] = prompt,
                ["text"] = text.Streamed.Text,
                ["ids"] = new JsonArray([.. text.Sequence.Generated.ToArray().Select(id => (JsonNode)id)]),
                ["prompt_tokens"] = text.Sequence.Request.TokensRead,
                ["tokens"] = text.Sequence.Generated.Length,
                ["finish"] = text.Reason,
                ["seed"] = text.Sequence.Request.Seed,
            });
            return;
        }
        if (!stream)
        {
            context.Out.WriteLine($"--- {index + 1} of {count}{(text.Sequence.Request.Seed is { } seed ? $", seed {seed}" : "")}");
            rest = (echo ? prompt : "") + text.Streamed.Text;
        }
        TerminalText.Write(context, rest);
        context.Out.WriteLine();
    }

    private static string WithoutLastLineEnd(string text)
    {
        if (text.EndsWith('\n'))
            text = text[..^1];
        return text.EndsWith('\r') ? text[..^1] : text;
    }

    /// <summary>One text on its way.</summary>
    private sealed record Continuation(GeneratedSequence Sequence, StreamedText Streamed)
    {
        /// <summary>Why it ended.</summary>
        public string Reason => EndReasons.Name(Sequence, Streamed);
    }
}
