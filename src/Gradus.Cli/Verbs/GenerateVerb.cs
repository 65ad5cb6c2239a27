using System.CommandLine;
using System.Diagnostics;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus generate</c>: texts that go on from prompts.</summary>
internal static class GenerateVerb
{
    /// <summary>Prompts of a file that are on their way at once: enough to keep the engine busy.</summary>
    private const int Window = 64;

    private static readonly Argument<string> Source = new("MODEL") { Description = "A model's folder, a run's or an adapter's." };

    private static readonly Option<string?> Prompt = new("--prompt", "-p")
    {
        Description = "What the text begins with, or what a model such as T5 answers; without it what is piped in (less its last line end), or nothing.",
        HelpName = "TEXT",
    };

    private static readonly Option<string[]> Input = new("--input", "-i")
    {
        Description = "Files of prompts: of JSON lines (.jsonl, with \"prompt\" or \"messages\"; the other fields go into the output), or of text, each one prompt.",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string> Overflow = OverflowOption.Create(
        OverflowPolicy.Error, "What becomes of a prompt that is too long for the context: an error, or its oldest tokens (of a conversation its oldest exchanges) are left out, which is said.");

    private static readonly Option<string?> PrefixCache = PrefixCacheFile.Option();

    private static readonly Option<bool> Lookup = new("--prompt-lookup")
    {
        Description = "Guess that the text goes on as it did before after the same tokens. The text is the same; where much is copied it comes sooner.",
    };

    private static readonly Option<bool> Echo = new("--echo") { Description = "Print the prompt too." };

    private static readonly Option<int> Count = Numeric.Option("--n", "Texts to write, all at once; with a seed each has the next one. Of a beam search the best.", 1, 4096, 1);

    private static readonly Option<int?> LogProbabilities = Numeric.Optional("--logprobs", "Give the log-probability of each token with so many alternatives, in JSON.", 0, 100);

    private static readonly Option<double?> TimeLimit = Numeric.Optional("--time-limit", "Seconds that a text may take.", 0.001, 1e6);

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per text: text, ids, why it ended, seed, rates." };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    static GenerateVerb() => Count.Aliases.Add("--count");

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("generate", "Write text with a model, token by token.") { Source, Prompt, Input };
        SamplingArguments sampling = new(verb, maxTokens: 200);
        StructureArguments structure = new(verb);
        SearchArguments search = new(verb);
        foreach (Option option in (Option[])[Overflow, PrefixCache, Lookup, Echo, Count, LogProbabilities, TimeLimit, Base, Json])
            verb.Options.Add(option);
        verb.Examples =
        [
            ("generate stories-hf --prompt \"Once upon a time\"", "continues a text"),
            ("generate runs/quickstart/3-pretrain --greedy --max-tokens 50 < prompt.txt", "continues a file with the likeliest tokens"),
            ("generate my-model -p \"Name:\" --n 3 --seed 1 --json", "writes three texts as JSON lines"),
            ("generate my-model --input prompts.jsonl --schema answer.json > answers.jsonl", "answers every line of a file with JSON of a schema"),
            ("generate my-model -p \"Once\" --beams 8 --beam-groups 4 --n 4", "searches four texts that differ"),
        ];
        verb.SetAction(parse =>
        {
            Search how = search.Read(parse);
            if (how.IsExact && sampling.FirstDrawing(parse) is { } drawing)
                throw new UsageException($"a search draws nothing, so {drawing} has no part; leave it out.");
            TextSampling drawn = sampling.Read(parse);
            if (how.IsExact)
                drawn = drawn with { Seed = null, Options = drawn.Options with { Temperature = 1, TopP = 1 } };
            TextPlan plan = new(
                drawn, structure.Read(parse), how, parse.GetValue(Count), parse.GetValue(LogProbabilities), parse.GetValue(TimeLimit) is { } seconds ? TimeSpan.FromSeconds(seconds) : null)
            {
                Speculation = parse.GetValue(Lookup) ? new PromptLookup() : null,
            };
            Check(plan, parse);
            return Run(context, parse, plan);
        });
        return verb;
    }

    private static void Check(TextPlan plan, ParseResult parse)
    {
        if (plan.Search.IsExact && (plan.Structure is not null || plan.Alternatives is not null))
            throw new UsageException("a search follows no structure and gives no log-probabilities; leave --beams or --contrastive out.");
        if (plan.Search.IsExact && parse.GetValue(PrefixCache) is not null)
            throw new UsageException("a search keeps nothing of what it has read; leave --prefix-cache, --beams or --contrastive out.");
        if (plan.Search.IsExact && plan.Speculation is not null)
            throw new UsageException("a search guesses nothing; leave --prompt-lookup, --beams or --contrastive out.");
        if (plan.Search.Beams is { } beams && plan.Count > beams)
            throw new UsageException($"--n {plan.Count} is more than --beams {beams}; search with more beams.");
        if (plan.Search.Contrastive is not null && plan.Count > 1)
            throw new UsageException("--contrastive finds one text; leave --n out.");
        if (plan.Search.BestOf is not null && plan.Count > 1)
            throw new UsageException("--best-of keeps one text; leave --n out.");
        if (plan.Sampling.Seed is null && plan.Search.BestOf is not null)
            throw new UsageException("--best-of draws texts, which differ only where tokens are drawn; leave --greedy out.");
        if (plan.Alternatives is not null && !parse.GetValue(Json) && parse.GetValue(Input) is not { Length: > 0 })
            throw new UsageException("--logprobs are given in JSON; add --json.");
    }

    private static int Run(CommandContext context, ParseResult parse, TextPlan plan)
    {
        IEnumerable<PromptItem> prompts = PromptInput.Read(context, parse.GetValue(Prompt), parse.GetValue(Input)!);
        using ModelBundle bundle = ModelFolder.Open(parse.GetRequiredValue(Source), CpuDevice.Default, ModelBundleOptions.ToRun with { WritesText = true }, parse.GetValue(Base), context.Cancellation);
        using GenerationEngine engine = new(bundle.Generative);
        PrefixCacheFile.Load(engine, parse.GetValue(PrefixCache));
        TextGenerator writer = new(bundle, engine);
        bool lines = parse.GetValue(Input)!.Length > 0;
        TextOutput output = new(context, bundle, parse.GetValue(Json) || lines, parse.GetValue(Echo), plan);
        OverflowPolicy overflow = OverflowOption.Read(parse, Overflow);
        Queue<(PromptItem Item, int? LeftOut, Task<IReadOnlyList<GeneratedText>> Texts)> pending = [];
        long start = Stopwatch.GetTimestamp();
        foreach (PromptItem item in prompts)
        {
            (GenerationRequest request, int? leftOut) = item.Request(bundle, overflow, plan.Sampling.MaxTokens);
            bool streams = output.Begin(item, lines);
            pending.Enqueue((item, leftOut, plan.Run(writer, request, streams ? output.Show : null, context.Cancellation)));
            // Searches have the model to themselves.
            if (pending.Count >= (plan.Search.IsExact ? 1 : Window))
                Next();
        }
        while (pending.Count > 0)
            Next();
        PrefixCacheFile.Save(engine, parse.GetValue(PrefixCache));
        output.Summarize(Stopwatch.GetElapsedTime(start));
        return ExitCode.Done;

        void Next()
        {
            (PromptItem item, int? leftOut, Task<IReadOnlyList<GeneratedText>> texts) = pending.Dequeue();
            output.Write(item, leftOut, texts.GetAwaiter().GetResult());
        }
    }
}
