using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Training.Planning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus plan size</c>: the best size and number of tokens for a budget, by published scaling laws.</summary>
internal static class PlanSizeVerb
{
    private static readonly Option<double?> Flops = Numeric.Optional("--flops", "Floating-point operations of the training, such as 1e18.", 1e6, 1e30);

    private static readonly Option<double?> Hours = Numeric.Optional("--hours", "Hours of training instead of --flops; needs --rate.", 1e-3, 1e6);

    private static readonly Option<double?> Rate = Numeric.Optional("--rate", "GFLOP/s that training reaches here; gradus plan RECIPE --measure says it.", 1e-3, 1e9);

    private static readonly Option<double?> Data = Numeric.Optional("--data-tokens", "Tokens of text that there are; what goes beyond them is seen again.", 1e3, 1e15);

    private static readonly Option<double?> Use = Numeric.Optional("--use-tokens", "Tokens that the model will read and write in its life: a smaller model, trained longer, may cost less in all.", 0, 1e18);

    private static readonly Option<bool> Json = new("--json") { Description = "Print everything as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("size", "Say the best size and number of tokens for a budget of computation.") { Flops, Hours, Rate, Data, Use, Json };
        verb.Examples = [("plan size --hours 10 --rate 150 --data-tokens 2e8", "ten hours at 150 GFLOP/s, with 200 million tokens of text")];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        double flops = (parse.GetValue(Flops), parse.GetValue(Hours), parse.GetValue(Rate)) switch
        {
            ({ } given, null, null) => given,
            (null, { } hours, { } rate) => hours * 3600 * rate * 1e9,
            _ => throw new UsageException("plan size: give --flops, or --hours and --rate."),
        };
        double unique = parse.GetValue(Data) ?? double.PositiveInfinity;
        JsonArray laws = [];
        foreach ((string name, ScalingLaw law) in new[] { ("Hoffmann et al., 2022", ScalingLaw.Hoffmann), ("Besiroglu et al., 2024", ScalingLaw.Besiroglu) })
        {
            OptimalSize best = law.Optimal(flops, unique);
            JsonObject facts = Describe(best);
            facts["law"] = name;
            if (parse.GetValue(Use) is { } used)
                facts["for_use"] = Describe(law.OptimalForUse(best.Loss, used));
            laws.Add((JsonNode)facts);
        }
        if (parse.GetValue(Json))
        {
            context.WriteJson(new JsonObject { ["flops"] = flops, ["laws"] = laws });
            return ExitCode.Done;
        }
        Facts lines = new(context);
        lines.Add("budget", string.Create(CultureInfo.InvariantCulture, $"{flops:0.##e0} floating-point operations"));
        foreach (JsonNode? law in laws)
        {
            lines.Headline((string)law!["law"]!);
            Print(lines, "best", law);
            if (law["for_use"] is { } use)
                Print(lines, "best in use", use);
        }
        lines.Headline("The laws are of web text in English and of models from 70 million parameters on. What is said of smaller ones goes beyond them: fit a law to your own runs (gradus plan fit).");
        return ExitCode.Done;
    }

    private static JsonObject Describe(OptimalSize size) => new()
    {
        ["parameters"] = size.Parameters,
        ["tokens"] = size.Tokens,
        ["tokens_per_parameter"] = size.Tokens / size.Parameters,
        ["loss"] = size.Loss,
        ["training_flops"] = size.Flops,
    };

    private static void Print(Facts lines, string name, JsonNode size) => lines.Add(name, string.Create(
        CultureInfo.InvariantCulture,
        $"{Count((double)size["parameters"]!)} parameters, {Count((double)size["tokens"]!)} tokens ({(double)size["tokens_per_parameter"]!:0.#} a parameter), loss {(double)size["loss"]!:0.000}, training {(double)size["training_flops"]!:0.##e0}"));

    /// <summary>A large number as people say it: 1.3M, 42B.</summary>
    public static string Count(double n) => n switch
    {
        >= 1e12 => string.Create(CultureInfo.InvariantCulture, $"{n / 1e12:0.##}T"),
        >= 1e9 => string.Create(CultureInfo.InvariantCulture, $"{n / 1e9:0.##}B"),
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{n / 1e6:0.##}M"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{n:N0}"),
    };
}
