using System.CommandLine;
using System.Globalization;
using Gradus.Applications.Agents;
using Gradus.Applications.Python;
using Gradus.Applications.Sandbox;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Files;
using Microsoft.Extensions.AI;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus agent</c>: answers a question with a model that reasons in steps, calls tools and runs programs.</summary>
internal static class AgentVerb
{
    private static readonly Argument<string> Source = new("RECIPE|MODEL") { Description = $"A recipe, a JSON file; or a model: {ChatModels.Help}." };
    private static readonly Option<string?> Ask = new("--ask") { Description = "The question.", HelpName = "TEXT" };
    private static readonly Option<bool> Pal = new("--pal") { Description = "The method pal: the model writes a program, which runs in the sandbox." };
    private static readonly Option<string?> Resume = new("--resume") { Description = "Go on with the work that a trace holds.", HelpName = "TRACE" };
    private static readonly Option<bool> Yes = new("--yes") { Description = "Consent to every call of a tool." };
    private static readonly Option<bool> Json = new("--json") { Description = "Print each step and the end as a line of JSON." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("agent", "Answer a question with a model that reasons in steps, calls tools and runs programs.")
        {
            Arguments = { Source },
            Examples =
            [
                ("agent http://localhost:8080/v1#qwen --pal --ask \"How many days lie between 3 March and 1 May 2024?\"", "the model writes a program, the sandbox runs it, its value is the answer"),
                ("agent http://localhost:8080/v1#qwen --method=cot-sc --samples=5 --ask \"…\"", "five chains of thought vote"),
                ("agent my-agent.json --page=trace.html", "a recipe with tools; every step on a page"),
            ],
            Notes = ("Keys of the recipe, to be changed by --KEY=VALUE:", () => CommentedRecipe.Keys(AgentRecipeJson.Default.AgentRecipe, new AgentRecipe())),
        };
        foreach (Option option in new Option[] { Ask, Pal, Resume, Yes, Json })
            verb.Options.Add(option);
        verb.TreatUnmatchedTokensAsErrors = false;
        verb.SetAction((parse, cancellation) => RunAsync(context, parse));
        return verb;
    }

    private static async Task<int> RunAsync(CommandContext context, ParseResult parse)
    {
        AgentRecipe recipe = Read(parse);
        Agent agent = Agent.Find(recipe.Method);
        AgentTrace? resume = parse.GetValue(Resume) is { } file ? AgentTrace.Parse(File.ReadAllText(file)) : null;
        using IChatClient client = ChatModels.Open(recipe.Model, context.Cancellation);
        using Sandbox? sandbox = NeedsSandbox(agent) || Sandbox.WhyNot() is null ? SandboxProcesses.Open() : null;
        ProgramRunner? programs = sandbox is null ? null : Programs(SandboxProcesses.Interpreter(sandbox), recipe);
        await using McpTools servers = await McpTools.ConnectAsync(recipe.Servers.Select(ServerOf), context.Cancellation).ConfigureAwait(false);
        AIFunction[] builtIn = programs is null ? [] : [PythonTool(programs)];
        ToolBox tools = new(
            [.. builtIn, .. servers.Tools], (call, _) => ValueTask.FromResult(parse.GetValue(Yes) || Consent(context, call)), [.. builtIn.Select(t => t.Name), .. recipe.ToolsWithoutAsking],
            recipe.AllowedTools.Length > 0 ? recipe.AllowedTools : null, TimeSpan.FromSeconds(recipe.ToolSeconds));
        AgentRecorder recorder = new(context, recipe, agent.Name, parse.GetValue(Json));
        AgentTrace trace = await agent.RunAsync(recipe.Question, client, tools, OptionsOf(recipe), programs, resume, recorder.Add, context.Cancellation).ConfigureAwait(false);
        recorder.Finish(trace);
        return trace.End == AgentEnd.Answered ? ExitCode.Done : ExitCode.Failed;
    }

    private static AgentRecipe Read(ParseResult parse)
    {
        string source = parse.GetRequiredValue(Source);
        bool isRecipe = source.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        AgentRecipe given = new() { Model = isRecipe ? "" : source };
        AgentRecipe recipe = isRecipe
            ? ConfigurationTree.Load(AgentRecipeJson.Default.AgentRecipe, given, source, parse.UnmatchedTokens)
            : (AgentRecipe)ConfigurationTree.Resolve(AgentRecipeJson.Default.AgentRecipe, given, parse.UnmatchedTokens);
        recipe = recipe with { Question = parse.GetValue(Ask) ?? recipe.Question, Method = parse.GetValue(Pal) ? "pal" : recipe.Method };
        if (recipe.Question.Length == 0)
            throw new UsageException("there is no question; give one with --ask TEXT.");
        return recipe;
    }

    private static bool NeedsSandbox(Agent agent) => agent is ProgramAgent;

    private static AgentOptions OptionsOf(AgentRecipe recipe) => new(
        recipe.ModelCalls, recipe.ToolCalls, recipe.Tokens > 0 ? recipe.Tokens : long.MaxValue, recipe.Seconds > 0 ? TimeSpan.FromSeconds(recipe.Seconds) : null, recipe.Seed,
        recipe.Temperature, recipe.Samples, recipe.Rounds, recipe.MaxTokens > 0 ? recipe.MaxTokens : null);

    private static ProgramRunner Programs(PythonSandbox python, AgentRecipe recipe) => (source, variable, cancellation) =>
        python.RunAsync(source, new PythonOptions(Seed: recipe.Seed), TimeSpan.FromSeconds(recipe.ProgramSeconds), variable, cancellation);

    private static AIFunction PythonTool(ProgramRunner programs) => AIFunctionFactory.Create(
        async (string program, CancellationToken cancellation) =>
        {
            PythonResult result = await programs(program, "result", cancellation).ConfigureAwait(false);
            return result.Error is { } error ? result.Output + error : result.Result is { } value ? $"{result.Output}result = {value}" : result.Output;
        },
        "python", "Runs a Python program for calculation (standard modules of calculation; no files, no network) and gives what it prints, and the value of the variable result.");

    private static McpServer ServerOf(ToolServerRecipe server) => new(
        server.Name, server.Command.FirstOrDefault(), [.. server.Command.Skip(1)], server.Address.Length > 0 ? new Uri(server.Address) : null)
    {
        Environment = server.Environment,
        Allowed = server.Allowed.Length > 0 ? server.Allowed : null,
    };

    // Without a terminal nobody can be asked, and nobody consents.
    private static bool Consent(CommandContext context, ToolCall call)
    {
        string asked = Failures.OneLine($"{call.Tool.Name} {call.Arguments}");
        if (!context.InputIsTerminal)
        {
            context.Note($"{asked}: not called, since nobody can be asked; name the tool in tools_without_asking, or give --yes.");
            return false;
        }
        context.Error.Write($"Call {asked}? [y/N] ");
        return System.Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }
}

/// <summary>Shows and keeps the steps of an agent.</summary>
internal sealed class AgentRecorder(CommandContext context, AgentRecipe recipe, string method, bool json)
{
    private readonly List<AgentStep> _steps = [];

    /// <summary>Shows a step, and writes the trace so far: what was done is not lost.</summary>
    public void Add(AgentStep step)
    {
        _steps.Add(step);
        if (json)
            context.TryWriteLine(step.ToJson());
        else
            context.Error.WriteLine(Describe(step));
        Write(new AgentTrace(method, recipe.Question, recipe.Seed, _steps, null, null, null));
    }

    /// <summary>Shows the end.</summary>
    public void Finish(AgentTrace trace)
    {
        Write(trace);
        if (recipe.Page.Length > 0)
            AtomicFile.WriteAllText(recipe.Page, AgentPage.Build(trace));
        if (json)
            context.WriteJsonLine(new System.Text.Json.Nodes.JsonObject { ["end"] = trace.End.ToString(), ["answer"] = trace.Answer, ["reason"] = trace.Reason, ["steps"] = trace.Steps.Count });
        else if (trace.Answer is { } answer)
            context.Out.WriteLine(answer);
        else
            context.Note($"no answer: {trace.Reason}");
    }

    private void Write(AgentTrace trace)
    {
        if (recipe.Trace.Length > 0)
            AtomicFile.WriteAllText(recipe.Trace, trace.ToJson());
    }

    private static string Describe(AgentStep step)
    {
        string what = step.Kind switch
        {
            AgentStepKind.Tool => $"{step.Title} {step.Input} → {step.Outcome}: {step.Output}",
            AgentStepKind.Program => $"{step.Outcome}: {step.Output}",
            _ => step.Calls.Count > 0 ? $"{step.Output} {string.Join("; ", step.Calls.Select(c => $"{c.Name} {c.Arguments}"))}" : step.Output,
        };
        string line = Failures.OneLine(what);
        return string.Create(CultureInfo.InvariantCulture, $"{step.Number,3} {step.Title,-12} {(line.Length > 200 ? line[..200] + "…" : line)}");
    }
}
