using System.CommandLine;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data filter</c>: keeps the documents of a corpus that pass published rules.</summary>
internal static class DataFilterVerb
{
    /// <summary>The rules by name, in the order in which FineWeb applies them; C4's without end marks, as there.</summary>
    private static readonly (string Name, DocumentFilter Filter)[] Rules =
    [
        ("gopher-repetition", new GopherRepetition()),
        ("gopher-quality", new GopherQuality()),
        ("c4", new C4Quality(EndMarks: false)),
        ("fineweb", new FineWebQuality()),
    ];

    private static readonly (string Name, DocumentFilter Filter)[] Others = [("c4-original", new C4Quality()), ("mc4-long-lines", new LongLines())];

    private static readonly CleaningArguments Arguments = new();

    private static readonly Option<string[]> Chosen = RulesOption();

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("filter", "Keep the documents of a corpus that pass the rules of Gopher, C4 and FineWeb.") { Chosen };
        Arguments.AddTo(verb);
        verb.Examples =
        [
            ("data filter crawl/*.jsonl -o clean.jsonl", "applies FineWeb's rules in its order"),
            ("data filter crawl.jsonl -o clean.jsonl --rule gopher-quality --samples 5", "applies one rule and shows what it took away"),
        ];
        verb.SetAction(parse => Arguments.Run(context, parse, [Step(parse.GetValue(Chosen))]));
        return verb;
    }

    /// <summary>The option that chooses rules.</summary>
    public static Option<string[]> RulesOption() => new("--rule")
    {
        Description = $"A rule: {string.Join(", ", Rules.Concat(Others).Select(r => r.Name))}. Without it the first {Rules.Length} in this order.",
        HelpName = "NAME",
    };

    /// <summary>The step that applies rules.</summary>
    /// <exception cref="UsageException">A rule is unknown.</exception>
    public static (string Name, Action<CorpusCleaning, string> Step) Step(string[]? names)
    {
        (string, DocumentFilter)[] rules = names is { Length: > 0 } ? [.. names.Select(Find)] : Rules;
        return ("filter", (cleaning, output) => cleaning.Filter(rules, output));
    }

    private static (string Name, DocumentFilter Filter) Find(string name) => Rules.Concat(Others).FirstOrDefault(r => r.Name == name) is { Filter: not null } rule
        ? rule
        : throw new UsageException($"--rule {name}: no such rule; {KeySuggestion.For(name, Rules.Concat(Others).Select(r => r.Name), "rules")}");
}
