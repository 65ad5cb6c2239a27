#:project ../src/Gradus.Applications/Gradus.Applications.csproj
// A shop assistant: it looks up an order, checks the policy, and files a return only with consent. The model here is a script, so that it runs
// anywhere; any IChatClient can stand in its place: dotnet run examples/shop.cs
using Gradus.Applications.Agents;
using Microsoft.Extensions.AI;

Dictionary<string, (string Item, int DaysAgo)> orders = new() { ["A17"] = ("a kettle", 12), ["B02"] = ("a lamp", 45) };
List<string> returns = [];

AIFunction[] tools =
[
    AIFunctionFactory.Create((string order) => orders.TryGetValue(order, out var found) ? $"{found.Item}, bought {found.DaysAgo} days ago" : $"there is no order {order}", "look_up_order", "What an order holds and when it was bought."),
    AIFunctionFactory.Create(() => "Unused goods can be returned within 30 days.", "read_policy", "The shop's policy of returns."),
    AIFunctionFactory.Create((string order, string reason) => { returns.Add(order); return $"return R{returns.Count} is filed"; }, "file_return", "Files a return. It cannot be undone."),
];
ToolBox box = new(tools, (call, _) =>
{
    Console.WriteLine($"  may I call {call.Tool.Name} {call.Arguments}? yes");
    return ValueTask.FromResult(true);
}, withoutAsking: ["look_up_order", "read_policy"]);

using IChatClient model = new ScriptedModel(
    Call("look_up_order", ("order", "A17")), Call("read_policy"), Call("file_return", ("order", "A17"), ("reason", "it does not fit")),
    new ChatMessage(ChatRole.Assistant, "Your kettle can go back: you bought it 12 days ago, and 30 are allowed. The return R1 is filed."));
AgentTrace trace = await Agent.Find("tools").RunAsync("I would like to return order A17, it does not fit.", model, box, onStep: step => Console.WriteLine($"  {step.Number} {step.Title} {step.Outcome} {step.Output}".TrimEnd()));
Console.WriteLine(trace.Answer);

static ChatMessage Call(string name, params (string Name, object? Value)[] arguments) =>
    new(ChatRole.Assistant, [new FunctionCallContent(name, name, arguments.ToDictionary(a => a.Name, a => a.Value))]);

/// <summary>A model whose answers are written down.</summary>
sealed class ScriptedModel(params ChatMessage[] answers) : IChatClient
{
    private int _next;

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new ChatResponse(answers[_next++]));

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("This model answers at once.");

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
