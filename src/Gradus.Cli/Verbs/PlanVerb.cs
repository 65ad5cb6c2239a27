using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Tensors.Cpu;
using Gradus.Training.Planning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus plan</c>: what a training will take, before it is begun.</summary>
internal static partial class PlanVerb
{
    private static readonly Argument<string?> Target = new("RECIPE|MODEL")
    {
        Description = "A recipe of pretrain or finetune, to plan its run; or a model, to plan the usual ways to tune it.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<int> Tokens = Numeric.Option("--tokens", "Tokens of a step; for a model.", 1, 1 << 24, 2048);

    private static readonly Option<int> Rank = Numeric.Option("--rank", "The rank of LoRA; for a model.", 1, 65536, 16);

    private static readonly Option<bool> Recompute = new("--recompute") { Description = "Compute activations again in the backward pass; for a model." };

    private static readonly Option<bool> Measure = new("--measure") { Description = "Measure the operations of a step on this machine, for seconds to minutes, and say how long the training lasts." };

    private static readonly Option<string?> Memory = new("--memory") { Description = "Say what fits into so much memory; without it, into this machine's.", HelpName = "SIZE" };

    private static readonly Option<int> Ranks = Numeric.Option("--nodes", "Machines like this one that share the training; needs --measure.", 1, 1 << 20, 1);

    private static readonly Option<string> Network = new("--network")
    {
        Description = "The links between them: 10GbE, 25GbE, or what a machine sends in a second, such as 1.2GB.",
        HelpName = "SPEED",
        DefaultValueFactory = _ => "10GbE",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print everything as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("plan", "Say what a training will take before it is begun: memory, operations, time.")
        {
            Target, Tokens, Rank, Recompute, Measure, Memory, Ranks, Network, Json, PlanSizeVerb.Create(context), PlanFitVerb.Create(context),
        };
        verb.Examples =
        [
            ("plan recipes/shakespeare-char.json --measure", "memory by its parts, operations and time of a recipe's run"),
            ("plan my-model --memory 16GB", "which ways to tune a model fit into 16 GB"),
            ("plan size --flops 1e18", "the best size and number of tokens for a budget"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string target = parse.GetValue(Target) ?? throw new UsageException("plan: give a recipe or a model, or one of the verbs size and fit; gradus plan --help shows examples.");
        bool measure = parse.GetValue(Measure);
        int ranks = parse.GetValue(Ranks);
        if (ranks > 1 && !measure)
            throw new UsageException("--nodes: how much time is lost depends on how long a step takes; add --measure.");
        Network network = NetworkOf(parse.GetValue(Network)!);
        long room = parse.GetValue(Memory) is { } size ? ByteSize.Parse(size, "--memory") : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long program = Environment.WorkingSet;
        StageContext stage = new(context, Json: false, Resume: false, CpuDevice.Default) { RecipeFile = target, Data = new NamedData(context, fetch: false) };
        IEnumerable<PlannedTraining> trainings = File.Exists(target) && target.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? [PlannedTraining.OfRecipe(target, stage)]
            : PlannedTraining.OfModel(target, parse.GetValue(Tokens), parse.GetValue(Rank), parse.GetValue(Recompute), stage);
        JsonArray planned = [];
        foreach (PlannedTraining training in trainings)
        {
            planned.Add((JsonNode)Count(context, training, measure, program, room, ranks, network, print: !parse.GetValue(Json)));
        }
        if (parse.GetValue(Json))
            context.WriteJson(new JsonObject { ["target"] = target, ["machine"] = CpuDevice.Default.Name, ["memory_there_is"] = room, ["plans"] = planned });
        return ExitCode.Done;
    }

    /// <summary>Plans one training with its time on this machine, and says it.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="training">The training.</param>
    /// <param name="json">Print a JSON object.</param>
    public static int Show(CommandContext context, PlannedTraining training, bool json)
    {
        JsonObject facts = Count(context, training, measure: true, Environment.WorkingSet, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, ranks: 1, new Network(1), print: !json);
        if (json)
            context.WriteJson(facts);
        return ExitCode.Done;
    }

    private static JsonObject Count(CommandContext context, PlannedTraining training, bool measure, long program, long room, int ranks, Network network, bool print)
    {
        TrainingPlan plan = training.Plan(CpuDevice.Default);
        IReadOnlyList<(string Name, double Seconds)>? times = measure ? plan.Measure(CpuDevice.Default, Progress(context, training.Name), context.Cancellation) : null;
        JsonObject facts = Describe(training, plan, times, program, room, ranks, network);
        if (print)
            Print(context, training, plan, times, facts);
        return facts;
    }

    private static Action<int, int>? Progress(CommandContext context, string name) => !context.ErrorIsTerminal ? null : (done, all) =>
        context.Error.Write(done == all ? $"\r{new string(' ', 60)}\r" : $"\r{name}: {done} of {all} kinds of operations measured");

    private static JsonObject Describe(
        PlannedTraining training, TrainingPlan plan, IReadOnlyList<(string Name, double Seconds)>? times, long program, long room, int ranks, Network network)
    {
        MemoryPlan memory = plan.Memory;
        JsonObject facts = new()
        {
            ["training"] = training.Name,
            ["architecture"] = plan.Model.Architecture,
            ["parameters"] = plan.Parameters,
            ["trained"] = plan.TrainedParameters,
            ["tokens_per_step"] = plan.Shape.TokensPerStep,
            ["longest_sequence"] = plan.Shape.Length,
            ["steps"] = training.Steps,
            ["memory"] = new JsonObject
            {
                ["weights"] = memory.Weights,
                ["gradients"] = memory.Gradients,
                ["optimizer"] = memory.Optimizer,
                ["activations"] = memory.Activations,
                ["panels"] = memory.Panels,
                ["program"] = program,
                ["peak"] = memory.Total + program,
            },
            ["fits"] = memory.Total + program <= room,
            ["flops_per_step"] = plan.FlopsPerStep,
            ["flops_per_token"] = plan.FlopsPerStep / plan.Shape.TokensPerStep,
        };
        if (times is null)
            return facts;
        double step = times.Sum(t => t.Seconds);
        JsonObject parts = [];
        foreach ((string name, double seconds) in times)
            parts[name] = seconds;
        facts["step_seconds"] = step;
        facts["step_parts"] = parts;
        facts["tokens_per_second"] = plan.Shape.TokensPerStep / step;
        facts["flops_per_second"] = plan.FlopsPerStep / step;
        if (training.Steps is { } steps)
            facts["seconds"] = steps * step;
        if (ranks > 1)
        {
            facts["nodes"] = new JsonArray([.. Enum.GetValues<Sharding>().Select(s => ClusterPlan.Of(plan, step, ranks, network, s)).Select(c => (JsonNode)new JsonObject
            {
                ["nodes"] = ranks,
                ["sharded"] = Shared(c.Sharding),
                ["memory_per_node"] = c.MemoryPerRank + program,
                ["step_seconds"] = c.StepSeconds,
                ["efficiency"] = c.Efficiency,
                ["tokens_per_second"] = ranks * plan.Shape.TokensPerStep / c.StepSeconds,
            })]);
        }
        return facts;
    }

    private static string Shared(Sharding sharding) => sharding switch
    {
        Sharding.None => "nothing (data parallel)",
        Sharding.Optimizer => "optimizer (ZeRO 1)",
        Sharding.Gradients => "and gradients (ZeRO 2)",
        _ => "and weights (ZeRO 3, FSDP)",
    };

    private static void Print(CommandContext context, PlannedTraining training, TrainingPlan plan, IReadOnlyList<(string Name, double Seconds)>? times, JsonObject facts)
    {
        Facts lines = new(context);
        JsonObject memory = (JsonObject)facts["memory"]!;
        lines.Headline($"{training.Name} of {plan.Model.Architecture}");
        lines.Add("parameters", Invariant($"{plan.Parameters:N0}, {plan.TrainedParameters:N0} of them trained"));
        lines.Add("step", Invariant($"{plan.Shape.TokensPerStep:N0} tokens in sequences of at most {plan.Shape.Length:N0}{(plan.Shape.Accumulation > 1 ? $", {plan.Shape.Accumulation} micro-batches" : "")}"));
        lines.Add("memory", $"{Facts.Bytes((long)memory["peak"]!)} at most, {((bool)facts["fits"]! ? "which fits" : "which does NOT fit")}: weights {Facts.Bytes(plan.Memory.Weights)}, gradients {Facts.Bytes(plan.Memory.Gradients)}, optimizer {Facts.Bytes(plan.Memory.Optimizer)}, activations {Facts.Bytes(plan.Memory.Activations)}, {(plan.Memory.Panels > 0 ? $"weights in the kernels' order {Facts.Bytes(plan.Memory.Panels)}, " : "")}the program {Facts.Bytes((long)memory["program"]!)}");
        lines.Add("operations", Invariant($"{plan.FlopsPerStep / 1e9:N1} GFLOP a step, {plan.FlopsPerStep / plan.Shape.TokensPerStep / 1e6:N1} MFLOP a token"));
        if (times is null)
            return;
        double step = times.Sum(t => t.Seconds);
        lines.Add("time of a step", Invariant($"{step:0.###} s: {string.Join(", ", times.Take(5).Select(t => Invariant($"{t.Name} {t.Seconds / step:P0}")))}"));
        lines.Add("rate", Invariant($"{plan.Shape.TokensPerStep / step:N0} tokens/s, {plan.FlopsPerStep / step / 1e9:N1} GFLOP/s"));
        if (training.Steps is { } steps)
            lines.Add("in all", Invariant($"{steps:N0} steps, {StageContext.Duration(steps * step)} without evaluations and checkpoints"));
        foreach (JsonNode? node in facts["nodes"] as JsonArray ?? [])
        {
            lines.Add(
                Invariant($"{(int)node!["nodes"]!} nodes"),
                Invariant($"shared {(string)node["sharded"]!}: {Facts.Bytes((long)(double)node["memory_per_node"]!)} each, {(double)node["step_seconds"]!:0.###} s a step, {(double)node["efficiency"]!:P0} of the time computing, {(double)node["tokens_per_second"]!:N0} tokens/s"));
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static Network NetworkOf(string text)
    {
        if (Ethernet().Match(text) is { Success: true } ethernet)
            return new Network(double.Parse(ethernet.Groups[1].ValueSpan, CultureInfo.InvariantCulture) * 1e9 / 8);
        return new Network(ByteSize.Parse(text, "--network"));
    }

    [GeneratedRegex("^([0-9]{1,4}(?:\\.[0-9])?)GbE$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Ethernet();
}
