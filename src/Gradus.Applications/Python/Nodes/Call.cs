namespace Gradus.Applications.Python;

/// <summary>An argument of a call: by place, by name, or starred once or twice.</summary>
internal sealed record Argument(Expression Value, string? Name = null, int Stars = 0);

internal sealed class CallExpression : Expression
{
    private readonly Expression _function;
    private readonly Argument[] _arguments;
    private readonly bool _plain;

    public CallExpression(Expression function, Argument[] arguments, Position at)
        : base(at)
    {
        _function = function;
        _arguments = arguments;
        _plain = Array.TrueForAll(arguments, a => a.Name is null && a.Stars == 0);
    }

    public override Value Evaluate(Frame f)
    {
        if (_function is AttributeExpression { Target: var target, Name: var name })
            return CallMethod(f, target.Evaluate(f), name);
        Value function = _function.Evaluate(f);
        if (_plain && function.Ref is FunctionObject { Code: { IsGenerator: false } code } simple && code.Positional == _arguments.Length && code.Positional == code.Parameters.Length && code.ArgsSlot < 0 && code.KeywordsSlot < 0)
        {
            // The arguments go straight into the variables of the new frame.
            Frame frame = new(f.It, simple.Module, code.Slots);
            for (int i = 0; i < _arguments.Length; i++)
                frame.Slots[i] = _arguments[i].Value.Evaluate(f);
            f.At = At;
            return f.It.Run(simple, frame);
        }
        return Invoke(f, function, default);
    }

    // Methods are called without an object for the pair of object and function.
    private Value CallMethod(Frame f, Value self, string name)
    {
        if (self.Ref is not (ModuleObject or PyClass or SuperObject))
        {
            if (self.Ref is InstanceObject instance && instance.Attributes.TryGetValue(name, out Value own))
                return Invoke(f, own, default);
            Value method = self.Class.Find(name);
            if (method.Ref is FunctionObject or NativeFunction)
                return Invoke(f, method, self);
        }
        f.At = At;
        return Invoke(f, Attributes.Get(f.It, self, name), default);
    }

    private Value Invoke(Frame f, Value function, Value self)
    {
        int extra = self.IsUnbound ? 0 : 1;
        Value[] args;
        Keywords? keywords = null;
        if (_plain)
        {
            args = new Value[_arguments.Length + extra];
            for (int i = 0; i < _arguments.Length; i++)
                args[i + extra] = _arguments[i].Value.Evaluate(f);
            if (extra == 1)
                args[0] = self;
        }
        else
        {
            (args, keywords) = Collect(f, self);
        }
        f.At = At;
        return f.It.Call(function, args, keywords);
    }

    private (Value[] Args, Keywords? Keywords) Collect(Frame f, Value self)
    {
        List<Value> args = self.IsUnbound ? [] : [self];
        List<string> names = [];
        List<Value> values = [];
        foreach (Argument argument in _arguments)
        {
            Value value = argument.Value.Evaluate(f);
            if (argument.Stars == 1)
            {
                args.AddRange(Operations.ToArray(f.It, value));
            }
            else if (argument.Stars == 2)
            {
                Table table = Operations.TableOf(value) ?? throw Errors.Type($"argument after ** must be a mapping, not {value.Class.Name}");
                int place = 0;
                while (table.Next(ref place, out Value key, out Value entry))
                    Named(key.Text ?? throw Errors.Type("keywords must be strings"), entry);
            }
            else if (argument.Name is { } name)
            {
                Named(name, value);
            }
            else
            {
                args.Add(value);
            }
        }
        return ([.. args], names.Count == 0 ? null : new Keywords([.. names], [.. values]));

        void Named(string name, Value value)
        {
            if (names.Contains(name))
                throw Errors.Type($"got multiple values for keyword argument '{name}'");
            names.Add(name);
            values.Add(value);
        }
    }
}
